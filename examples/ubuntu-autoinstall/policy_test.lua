local guest = { mac = "52:54:00:12:34:56", arch = "efi-x64", serial = "R5QNN72" }

test "a guest is installed by its own answers" {
  given  = guest,
  expect = {
    rule = "guests", boot = "ubuntu-24.04",
    args = {
      "ip=dhcp", "url=http://10.0.0.2:8080/assets/ubuntu-24.04/live-server-amd64.iso", "autoinstall",
      "ds=nocloud-net;s=http://10.0.0.2:8080/config/~mac=52:54:00:12:34:56~serial=R5QNN72~arch=efi-x64/autoinstall/",
      "cloud-config-url=/dev/null", "---", "console=tty0", "console=ttyS0,115200n8",
    },
    config = {
      ["autoinstall/user-data"]   = contains { "#cloud-config\nautoinstall:\n  version: 1\n", 'hostname: "r5qnn72"\n' },
      ["autoinstall/meta-data"]   = 'instance-id: "52:54:00:12:34:56"\n',
      ["autoinstall/vendor-data"] = "",
    },
  },
}

test "a hypervisor has other disks, and more packages" {
  given  = { mac = "3c:ec:ef:00:00:01", label = { role = "hypervisor" } },
  expect = {
    rule = "hypervisors",
    config = { ["autoinstall/user-data"] = contains { 'name: "zfs"', '"libvirt-daemon-system"]\n' } },
  },
}

test "among the guests too" {
  given  = { mac = "52:54:00:12:34:57", arch = "efi-x64", label = { role = "hypervisor" } },
  expect = { rule = "hypervisors" },
}

test "any other machine is left alone" {
  given  = { mac = "3c:ec:ef:00:00:09", arch = "efi-x64", serial = "X", product = "Laptop" },
  expect = { rule = "everyone else", boot = "ignore" },
}
