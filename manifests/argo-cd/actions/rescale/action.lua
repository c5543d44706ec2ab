-- Another number of workers. Self-heal undoes it unless shards is left out of Git or in ignoreDifferences.
local given = actionParams and actionParams["shards"]
local shards = tonumber(given)
if shards == nil or shards % 1 ~= 0 or shards < 0 or shards > 1024 then
  error("shards must be a whole number, 0 to 1024, not " .. tostring(given), 0)
end
obj.spec.shards = shards
return obj
