local PI_MENU = "\6\1\3\10\4\0PXE\9\20\0\0\17Raspberry Pi Boot\255"

test "an old boot ROM, which says that it is a BIOS" {
  given  = { mac = "b8:27:eb:00:00:01", arch = "bios", stage = "dhcp" },
  expect = { rule = "Raspberry Pis", dhcp = { options = { [43] = PI_MENU }, vendor_class = "PXEClient" } },
}

test "a newer one, with an architecture of its own" {
  given  = { mac = "02:00:00:00:00:01", arch = "arm-rpiboot", arch_id = 41, stage = "dhcp" },
  expect = { rule = "Raspberry Pis", dhcp = { options = { [43] = PI_MENU } } },
}

test "a PC is not one" {
  given  = { mac = "3c:ec:ef:00:00:01", arch = "bios", stage = "dhcp" },
  expect = { rule = "everyone else", dhcp = false },
}

local function refuses(options, problem)
  test("refused: raspberry_pi " .. options) {
    files  = { ["policy.lua"] = 'rule "r" { boot = require "moonboot.raspberry_pi" ' .. options .. " }" },
    expect = { problems = contains(problem) },
  }
end

refuses('{ rot = "tftp" }', 'raspberry_pi: there is no option "rot"')
refuses('{ root = "tftp" }', "raspberry_pi: wants root, TFTP's directory, and firmware, a directory in it")
