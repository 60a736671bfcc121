-- Which machines are first hangs on their addresses: 52:54:00:00:00:11 is among the first tenth.

local FIRST, LATER, LAST = "52:54:00:00:00:11", "52:54:00:00:00:02", "52:54:00:00:00:01"

local function so_far(step, well, sick, stopped)
  return { ["linux-6.12"] = { step = step, well = well, sick = sick, stopped = stopped or false } }
end

test "a tenth of the fleet is first" {
  cases = {
    { given = { mac = FIRST }, expect = { boot = "new", kernel = "linux-6.12/vmlinuz" } },
    { given = { mac = LATER }, expect = { boot = "old", kernel = "linux-6.1/vmlinuz" } },
    { given = { mac = LAST }, expect = { boot = "old", args = {} } },
  },
}

test "it is told where to say how it does" {
  given  = { mac = FIRST },
  expect = { args = { "well=http://10.0.0.2:8080/event/well?token=~mac=52:54:00:00:00:11",
                      "sick=http://10.0.0.2:8080/event/sick?token=~mac=52:54:00:00:00:11" } },
}

test "a machine that is well counts once" {
  given = { mac = FIRST },
  steps = {
    event "well",
    event "well",
    expect { boot = "new", state = so_far(1, 1, 0) },
  },
}

test "three of them take it to half of the fleet" {
  given = { mac = FIRST },
  state = so_far(1, 2, 0),
  steps = {
    event "well",
    expect { boot = "new", state = so_far(2, 0, 0) },
  },
}

test "then others are in" {
  cases = {
    { given = { mac = LATER }, state = so_far(2, 0, 0), expect = { boot = "new" } },
    { given = { mac = LAST }, state = so_far(2, 0, 0), expect = { boot = "old" } },
    { given = { mac = LAST }, state = so_far(3, 0, 0), expect = { boot = "new" } },
  },
}

test "all of the fleet is the last step" {
  given = { mac = FIRST },
  state = so_far(3, 2, 0),
  steps = {
    event "well",
    expect { boot = "new", state = so_far(3, 3, 0) },
  },
}

test "two that are not well stop it, until an operator goes on" {
  given = { mac = FIRST },
  state = so_far(2, 1, 1),
  steps = {
    expect { boot = "new" },
    event "sick",
    expect { boot = "old", state = so_far(2, 1, 2, true) },
    event "go-on",
    expect { boot = "new", state = so_far(2, 1, 0) },
  },
}

test "one does not" {
  given = { mac = FIRST },
  steps = {
    event "sick",
    expect { boot = "new", state = so_far(1, 0, 1) },
  },
}

test "an operator may go on before anything has happened" {
  given = { mac = FIRST },
  steps = {
    event "go-on",
    expect { boot = "new", state = so_far(1, 0, 0) },
  },
}

test "how it stands" {
  get    = "/rollout",
  state  = so_far(2, 1, 2, true),
  expect = { body = "linux-6.12: 50 %, 1 well, 2 sick, stopped\n" },
}

test "and at first" {
  get    = "/rollout",
  expect = { body = "linux-6.12: 10 %, 0 well, 0 sick\n" },
}

test "others are left alone" {
  given  = { mac = "3c:ec:ef:00:00:01" },
  expect = { boot = "ignore" },
}
