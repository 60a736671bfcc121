-- Tests policy.lua.

test "a machine that nobody knows is installed" {
  given  = { mac = "52:54:00:12:34:57", arch = "efi-x64" },
  expect = {
    rule = "workers", boot = "el9-install", args = contains "inst.text",
    config = { ["ks.cfg"] = contains "-X POST 'http://10.0.0.2:8080/event/installed?token=~mac=52:54:00:12:34:57" },
  },
}

test "one that is in the list starts its disk" {
  given  = { mac = "52:54:00:12:34:56", arch = "efi-x64" },
  expect = { rule = "workers", boot = "disk" },
}

test "however its address was written" {
  given  = { mac = "52:54:00:ab:cd:ef", arch = "bios" },
  expect = { boot = "disk" },
}

test "with dots too" {
  given  = { mac = "52:54:00:00:00:01", arch = "bios" },
  expect = { boot = "disk" },
}

test "a machine without an address is never installed" {
  given  = { uuid = "00112233-4455-6677-8899-aabbccddeeff", arch = "efi-x64" },
  expect = { rule = "workers", boot = "disk", error = contains "cannot be known again" },
}

test "machines that are no workers are left alone" {
  given  = { mac = "52:54:00:12:34:57", arch = "efi-x64", product = "Desktop" },
  expect = { rule = "everyone else", boot = "ignore" },
}

test "what is no address in the list is a problem at its line" {
  files  = { ["installed.txt"] = "52:54:00:12:34:56\n\n52:54:00  # cut off\n" },
  expect = { problems = { 'policies/install_once/site/installed.txt:3: "52:54:00" is no hardware address' } },
}

local function refuses(options, problem)
  test("refused: install_once " .. options) {
    files  = { ["policy.lua"] = 'rule "r" { boot = require "moonboot.install_once" ' .. options .. " }" },
    expect = { problems = contains(problem) },
  }
end

refuses('{ instal = "x" }', 'install_once: there is no option "instal"')
refuses('{ done_on = "x" }', "install_once: install is needed: a profile's name")
refuses('{ install = 1 }', "install_once: install is a text")

test "a machine is installed until its installer says that it is done" {
  given = { mac = "52:54:00:12:34:57", arch = "efi-x64" },
  steps = {
    expect { boot = "el9-install" },
    event "installed",
    expect { boot = "disk" },
    event "reinstall",
    expect { boot = "el9-install" },
  },
}
