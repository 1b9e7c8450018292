-- Budgets of the fleet. KEYS: one hash for each account. ARGV[1]: a document as in spend_shared.py.
-- Corrects the sums by what the pod owes, then takes `amount` from all accounts or from none.
-- Answers {the account that refused or 0, {{nonce, version, sum} for each}}.
local doc = cmsgpack.unpack(ARGV[1])
local rows, refused = {}, 0

local function text(number)
  return string.format('%.0f', number)
end

for at, key in ipairs(KEYS) do
  local asked = doc.rows[at]
  local kept = redis.call('HMGET', key, 's', 'v', 'n', 'b:' .. doc.pod)
  local row = {sum = tonumber(kept[1]) or 0, version = tonumber(kept[2]) or 0, nonce = kept[3]}
  -- Lost, rolled back, or begun anew by a pod that knew less: no sum is less than somebody has seen.
  local lost = not row.nonce
  local behind = row.nonce == asked.nonce and row.version < asked.version
  if lost or behind or (asked.nonce ~= '' and row.nonce ~= asked.nonce) then
    row.sum = math.max(row.sum, asked.sum)
    row.version = math.max(row.version, asked.version)
    row.nonce = (lost or behind) and doc.nonce or row.nonce
  end
  if doc.batch > (tonumber(kept[4]) or 0) then
    row.sum = row.sum + asked.add
    redis.call('HSET', key, 'b:' .. doc.pod, text(doc.batch))
  end
  if doc.takes and refused == 0 then
    if row.sum >= asked.limit or row.sum + doc.amount > asked.limit then
      refused = at
    end
  end
  rows[at] = row
end

local seen = {}
for at, key in ipairs(KEYS) do
  local row = rows[at]
  if doc.takes and refused == 0 then
    row.sum = row.sum + doc.amount
  end
  row.version = row.version + 1
  redis.call('HSET', key, 's', text(row.sum), 'v', text(row.version), 'n', row.nonce)
  redis.call('PEXPIRE', key, doc.rows[at].lasts)
  seen[at] = {row.nonce, text(row.version), text(row.sum)}
end
return {refused, seen}
