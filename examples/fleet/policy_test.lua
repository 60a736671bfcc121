test "a worker is installed until it says that it is done" {
  given = { mac = "52:54:00:00:00:01" },
  steps = {
    expect { rule = "workers", boot = "install", config = { ["ks.cfg"] = contains "clearpart" } },
    event "installed",
    expect { rule = "workers", boot = "disk" },
    event "reinstall",
    expect { rule = "workers", boot = "install" },
  },
}

test "it is told where to say so, by a URL of its own" {
  given  = { mac = "52:54:00:00:00:01" },
  expect = { config = { ["ks.cfg"] = contains "http://10.0.0.2:8080/event/installed?token=~mac=52:54:00:00:00:01" } },
}

test "a diskless machine needs no state" {
  given = { mac = "52:54:00:d0:00:01" },
  steps = {
    expect { rule = "diskless", boot = "rescue", kernel = "rescue/vmlinuz" },
    event "installed",
    expect { rule = "diskless", boot = "rescue" },
  },
}

test "what the fleet does not know is left alone" {
  given  = { mac = "3c:ec:ef:00:00:01" },
  expect = { boot = "ignore" },
}
