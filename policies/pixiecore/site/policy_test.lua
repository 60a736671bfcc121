test "what to boot, as Pixiecore reads it" {
  get    = "/v1/boot/52:54:00:12:34:56",
  expect = {
    status = 200, type = "application/json",
    body = contains {
      '"kernel":"http://10.0.0.2:8080/assets/el9/vmlinuz"',
      '"initrd":["http://10.0.0.2:8080/assets/el9/initrd.img",',
      'http://10.0.0.2:8080/assets/el9/extra.img"]',
      '"cmdline":"ip=dhcp role=node note=\\"two words\\""',
    },
  },
}

test "another server's script" {
  get    = "/v1/boot/02:00:00:00:00:01",
  expect = { status = 200, body = contains "http://boot.lab/02:00:00:00:00:01.ipxe" },
}

test "not to be booted from here" {
  get    = "/v1/boot/3c:ec:ef:00:00:01",
  expect = { status = 404 },
}

test "no address" {
  get    = "/v1/boot/nobody",
  expect = { status = 400 },
}
