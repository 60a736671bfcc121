-- A new kernel for a part of the fleet. Machines report how they do by events: enough that are well
-- take it to the next part, a few that are not take all of them back.

local STEPS = { 10, 50, 100 } -- percent of the fleet, one after the other
local WELL  = 3               -- machines that have to be well on it, for each step
local SICK  = 2               -- machines that are not, to stop it
local NEW   = "linux-6.12"    -- its name: another one begins anew

profile "old" { kernel = "linux-6.1/vmlinuz", initrd = "node/initrd.img" }
profile "new" {
  kernel = NEW .. "/vmlinuz",
  initrd = "node/initrd.img",
  -- The node's own check POSTs to one of these when it has come up, or has not.
  args   = { "well={{event 'well'}}", "sick={{event 'sick'}}" },
}

-- { step =, well =, sick =, stopped = }
local function progress()
  return state.get(NEW) or { step = 1, well = 0, sick = 0, stopped = false }
end

-- Each machine counts once for each step.
local function count(what, machine, change)
  local key = table.concat({ NEW, progress().step, what, machine.mac }, "/")
  if state.get(key) then
    return
  end
  assert(state.set(key, true))
  assert(state.update(NEW, function(now)
    now = now or progress()
    now[what] = now[what] + 1
    change(now)
    return now
  end))
end

on("well", function(machine)
  count("well", machine, function(now)
    if now.well >= WELL and now.step < #STEPS then
      now.step, now.well = now.step + 1, 0
    end
  end)
end)

on("sick", function(machine)
  log.warn(machine.mac, "is not well on", NEW)
  count("sick", machine, function(now)
    now.stopped = now.stopped or now.sick >= SICK
  end)
end)

-- An operator goes on after a stop: moonboot event go-on MAC, of any machine.
on("go-on", function()
  assert(state.update(NEW, function(now)
    now = now or progress()
    now.stopped, now.sick = false, 0
    return now
  end))
end)

rule "nodes" {
  match    = { mac = prefix "52:54:00" },
  boot     = function()
    local now = progress()
    if now.stopped then
      return "old"
    end
    return rollout { percent = STEPS[now.step], use = "new", otherwise = "old", salt = NEW }
  end,
  on_error = "old",
}

serve "/rollout" (function()
  local now = progress()
  return ("%s: %d %%, %d well, %d sick%s\n"):format(NEW, STEPS[now.step], now.well, now.sick,
                                                    now.stopped and ", stopped" or "")
end)
