-- One decision: all buckets of one candidate, or none. Twin of book.py's reach, decide and commit.
-- A take: {amounts, reserve, guarantee, horizon, lease_us, lease, round_robin, candidates, due}
-- with candidates {ready_in, {bucket numbers}}; answers flat lists of words. `due` is when the pod was
-- last told to ask, 0 for never: it has no twin, a store of one process needs no line.
local LINE = 5000000

local function seat_at(state, ask, now)
  local taken, limit = used(state, now), state.limit
  if taken < math.max(math.floor(limit * (1 - ask.reserve)), 1) then
    return now
  end
  if ask.guarantee > 0 and taken < limit
      and cover_used(state, now) < math.max(math.floor(limit * ask.guarantee), 1) then
    return now
  end
  return now + SEAT_POLL
end

local function covered_at(state, ask, amount, at, held)
  if ask.guarantee <= 0 then
    return held, false
  end
  local unit = state.unit / ask.guarantee
  local own = state.cover_tat + amount * unit
    - math.max(state.burst * ask.guarantee, amount) * unit
  local open_at = own > at and own or at
  if open_at < held then
    return open_at, true
  end
  return held, false
end

local function reach(rows, ready, ask, now)
  local one = {leave = ready > now and ready or now, full = false, covered = false, blocker = 0}
  for _, number in ipairs(rows) do
    local state = ask.states[number]
    local at, amount = state.until_, ask.amounts[state.dim]
    if state.dim == SEATS then
      local free_at = seat_at(state, ask, now)
      one.full = one.full or free_at > now
      at = free_at > at and free_at or at
    elseif amount > state.burst then
      return {leave = math.huge, full = false, covered = false, blocker = number}
    elseif amount > 0 and state.tat > now then
      local need = amount * state.unit
      local open_at = state.tat + need - state.room
      at = open_at > at and open_at or at
      if ask.reserve > 0 then
        local held = state.tat + need - math.max(state.room * (1 - ask.reserve), need)
        if held > at and held > one.leave then
          local by_cover
          at, by_cover = covered_at(state, ask, amount, at, held)
          one.covered = one.covered or by_cover
        end
      end
    end
    if at > one.leave then
      one.leave, one.blocker = at, number
    end
  end
  return one
end

local function share_of(rows, ask, now)
  local least = 1
  for _, number in ipairs(rows) do
    local state = ask.states[number]
    local free
    if state.dim == SEATS then
      free = (state.limit - used(state, now)) / state.limit
    else
      local backlog = state.tat - now
      free = backlog > 0 and (state.room - backlog) / state.room or 1
    end
    if free < least then
      least = free
    end
  end
  return least > 0 and least or 0
end

local function charge_cover(state, ask, amount, leave)
  local need = amount * state.unit
  local held = state.tat + need - math.max(state.room * (1 - ask.reserve), need)
  if leave >= held then
    return false
  end
  local start = math.max(leave, state.cover_tat)
  state.cover_tat = start + amount * (state.unit / ask.guarantee)
  return true
end

-- Answers the event's number, negative where the class's own share was charged.
local function commit(state, ask, leave, now)
  local amount = ask.amounts[state.dim]
  if state.dim == SEATS then
    hold(state, ask.lease, leave + ask.lease_us, ask.reserve > 0, now)
    grow(state, now)
    return 0
  end
  if amount == 0 then
    return 0
  end
  local need = amount * state.unit
  local covered = ask.guarantee > 0 and charge_cover(state, ask, amount, leave)
  local before = state.tat - leave
  local seq = push(state, before > 0 and before or 0)
  state.tat = (before > 0 and state.tat or leave) + need
  state.left = math.max(state.left, leave)
  state.dirty = true
  return covered and -seq or seq
end

local function best_of(candidates, reaches, ask, now)
  local full, leave = true, math.huge
  for _, one in ipairs(reaches) do
    if (full and not one.full) or (full == one.full and one.leave < leave) then
      full, leave = one.full, one.leave
    end
  end
  local index, share = 0, -1
  for at, one in ipairs(reaches) do
    if one.leave == leave and one.full == full then
      local found = share_of(candidates[at][2], ask, now)
      if found > share then
        index, share = at, found
      end
      if share >= 1 or ask.round_robin then
        break
      end
    end
  end
  return index, share
end

-- When to ask again. Were everybody told when the next slot may be had, a thousand pods would all
-- come for it, and all but one in vain; so each gets a slot's time of its own to ask in, one after
-- the other. Nothing is promised: who comes first takes what is there, and who comes in vain is
-- given another time. The line is short, since many who wait will give up: behind its end everybody
-- is told to come in LINE or so. Whoever asks before its time keeps it.
local function appointment(reaches, ask, due, now)
  if due > now then
    return due
  end
  local line = ask.reserve > 0 and 'asks_low' or 'asks'
  local at, first = math.huge, nil
  for _, one in ipairs(reaches) do
    local state = ask.states[one.blocker]
    local open = one.leave - (one.covered and math.max(ask.horizon, COVER_HORIZON) or ask.horizon)
    if state and state.dim ~= SEATS and one.leave < math.huge then
      local need = ask.amounts[state.dim] * state.unit
      open = math.max(open, math.min(state[line] + need, open + math.max(LINE, 2 * need)))
    end
    if open < at then
      at, first = open, state
    end
  end
  if first and first.dim ~= SEATS and at > first[line] then
    first[line] = at
    first.dirty = true
  end
  return at
end

-- Somebody leaves at once, so nobody came for what was free: those in the line have gone.
local function forget_line(rows, ask, leave, now)
  if leave > now or ask.horizon <= 0 then
    return
  end
  for _, number in ipairs(rows) do
    local state = ask.states[number]
    if state.dim ~= SEATS then
      state.asks, state.asks_low = 0, 0
    end
  end
end

local function decide(row, states, now)
  local ask = {states = states, amounts = row[1], reserve = row[2], guarantee = row[3],
    horizon = row[4], lease_us = row[5], lease = row[6], round_robin = row[7]}
  local candidates, reaches = row[8], {}
  for at, candidate in ipairs(candidates) do
    reaches[at] = reach(candidate[2], now + candidate[1], ask, now)
  end
  local index, share = best_of(candidates, reaches, ask, now)
  local best = reaches[index]
  local horizon = best.covered and math.max(row[4], COVER_HORIZON) or row[4]
  if best.full or best.leave > now + horizon then
    local soonest = reaches[1]
    for _, one in ipairs(reaches) do
      if one.leave < soonest.leave then
        soonest = one
      end
    end
    return {'0', text(soonest.leave), text(soonest.blocker), soonest.full and '1' or '0',
      text(appointment(reaches, ask, row[9], now))}
  end
  forget_line(candidates[index][2], ask, best.leave, now)
  local answer = {'1', text(best.leave), text(index - 1), text(share)}
  for _, number in ipairs(candidates[index][2]) do
    answer[#answer + 1] = text(commit(states[number], ask, best.leave, now))
  end
  return answer
end
