-- The health of a TrafficSimulation for Argo CD. Throttled is not read: a slow clock is what the budget asks for.
-- Only what Argo CD's own Lua has is used (no string, no math).
local function told(status, message)
  return {status = status, message = message or ""}
end

local status = obj.status
if status == nil or status.conditions == nil then
  return told("Progressing", "waiting for the operator to see it")
end

-- A status about an older spec says nothing about this one.
local generation = obj.metadata.generation
if generation ~= nil and status.observedGeneration ~= generation then
  return told("Progressing", "waiting for the operator to see the change")
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end

local function holds(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

-- In this order: what a person has to do something about, what is on its way, what rests, what runs.
if holds("Stalled") then
  return told("Degraded", conditions.Stalled.message)
end
if holds("Reconciling") then
  return told("Progressing", conditions.Reconciling.message)
end
if obj.spec.suspend == true or obj.spec.shards == 0 then
  return told("Suspended", "the clock is kept; resume to go on")
end
if holds("BudgetExhausted") then
  return told("Suspended", conditions.BudgetExhausted.message)
end
if holds("Completed") then
  return told("Healthy", conditions.Completed.message)
end
if holds("Ready") then
  return told("Healthy", conditions.Ready.message)
end
return told("Progressing", conditions.Ready and conditions.Ready.message or "waiting for the workers")
