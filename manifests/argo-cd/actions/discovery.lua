-- The actions that Argo CD offers, those that would change nothing greyed out.
local suspended = obj.spec.suspend == true
return {
  suspend = {disabled = suspended, displayName = "Suspend"},
  resume = {disabled = not suspended, displayName = "Resume"},
  rescale = {displayName = "Rescale", params = {{name = "shards", default = tostring(obj.spec.shards)}}},
}
