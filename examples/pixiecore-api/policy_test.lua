-- Tests policy.lua; the API is a stub.

local ASKED = "GET http://api.lab:4242/v1/boot/52:54:00:12:34:56"

test "a machine boots what the API says" {
  given  = { mac = "52:54:00:12:34:56", arch = "efi-x64" },
  http   = { [ASKED] = { json = {
    kernel  = "/static/vmlinuz",
    initrd  = { "/static/initrd.img" },
    cmdline = 'quiet seed={{ URL "/seed/n1" }}',
  } } },
  expect = {
    rule = "as the API says", kernel = "http://api.lab:4242/static/vmlinuz",
    args = { "quiet", "seed=http://api.lab:4242/seed/n1" },
    golden = { ipxe = "n1.ipxe" },
  },
}

test "a script of the API's is run" {
  given  = { mac = "52:54:00:12:34:56", arch = "efi-x64" },
  http   = { [ASKED] = { json = { ["ipxe-script"] = "#!ipxe\nsanboot http://api.lab/n1.iso\n" } } },
  expect = { boot = "chain", url = "/pixiecore/52:54:00:12:34:56/script.ipxe" },
}

test "which it is sent here" {
  get    = "/pixiecore/52:54:00:12:34:56/script.ipxe",
  http   = { [ASKED] = { json = { ["ipxe-script"] = "#!ipxe\nsanboot http://api.lab/n1.iso\n" } } },
  expect = { status = 200, body = "#!ipxe\nsanboot http://api.lab/n1.iso\n" },
}

test "one that the API does not know is left alone" {
  given  = { mac = "52:54:00:12:34:56" },
  http   = { [ASKED] = { status = 404 } },
  expect = { rule = "everyone else", boot = "ignore" },
}

test "an API that fails boots the disk, never anything else" {
  given  = { mac = "52:54:00:12:34:56" },
  expect = { rule = "as the API says", boot = "disk" },
  cases  = {
    down    = { http = { [ASKED] = { unreachable = true } } },
    slow    = { http = { [ASKED] = { delay = 10 } }, expect = { took = 2 } },
    broken  = { http = { [ASKED] = { status = 500 } } },
    rubbish = { http = { [ASKED] = { body = "{", headers = { ["Content-Type"] = "application/json" } } } },
    half    = { http = { [ASKED] = { json = { cmdline = "quiet" } } } },
  },
}

test "what it said a minute ago will do when it has gone" {
  given = { mac = "52:54:00:12:34:56" },
  http  = { [ASKED] = { { json = { kernel = "/k" } }, { unreachable = true } } },
  steps = {
    expect { kernel = "http://api.lab:4242/k" },
    wait(60),
    expect { kernel = "http://api.lab:4242/k" },
    wait(10),
    expect { boot = "disk" },
  },
}

test "no other machine is asked about" {
  given  = { mac = "3c:ec:ef:00:00:01" },
  expect = { boot = "ignore" },
}
