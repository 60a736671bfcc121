local MAC = "52:54:00:12:34:56"

test "a configuration by hardware address" {
  given  = { mac = MAC, arch = "efi-x64" },
  expect = {
    boot = "boot", kernel = "images/node/vmlinuz", initrd = { "images/node/initrd.img" },
    args = {
      "BOOT_IMAGE=::/images/node/vmlinuz", "root=LABEL=node", 'note="two words"', "ds=nocloud-net;s=http://10.0.0.2/",
      "single", "ip=dhcp", "BOOTIF=01-52-54-00-12-34-56",
    },
  },
}

test "a UUID comes before an address, its bytes as they stand on the wire" {
  given  = { mac = MAC, uuid = "00112233-4455-6677-8899-aabbccddeeff", arch = "bios" },
  expect = { boot = "chain", url = "pxelinux.0" },
}

test "the start of an address" {
  given  = { mac = "02:00:00:00:00:01", ip = "10.1.7.76", arch = "bios" },
  expect = { kernel = "segment/vmlinuz", initrd = { "segment/initrd.img" }, args = contains "segment=seven" },
}

test "a whole address comes before its start" {
  given  = { mac = "02:00:00:00:00:01", ip = "10.1.7.77", arch = "bios" },
  expect = { boot = "ignore" },
}

test "the default is a menu" {
  given  = { mac = "02:00:00:00:00:01", ip = "10.2.0.1", arch = "bios" },
  expect = {
    boot = "menu",
    ipxe = contains { "Lab network boot", "Boot from local disk", "Install Debian", "Memory test", "debian/vmlinuz",
                      "debian/initrd.gz", "firmware.cpio", "BOOTIF=01-02-00-00-00-00-01" },
  },
}

test "a BIOS is sent pxelinux.0" {
  given  = { mac = "02:00:00:00:00:01", arch = "bios", stage = "dhcp" },
  expect = { dhcp = { file = "pxelinux.0" } },
}

test "UEFI is sent iPXE" {
  given  = { mac = "02:00:00:00:00:01", arch = "efi-x64", stage = "dhcp" },
  expect = { dhcp = { file = "snponly.efi" } },
}
