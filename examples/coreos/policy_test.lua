local worker = { mac = "52:54:00:12:34:56", serial = "R5QNN72", arch = "efi-x64", product = 'Rack "12"' }

test "a worker runs Fedora CoreOS from memory" {
  given  = worker,
  expect = {
    rule = "workers", boot = "fedora-coreos", initrd = { "fcos/live-initramfs.x86_64.img" },
    args = contains {
      "ignition.firstboot", "/assets/fcos/live-rootfs.x86_64.img", "ignition.config.url=http://",
    },
  },
}

test "its document has its name, its keys and a unit" {
  given  = worker,
  expect = {
    config = {
      ["node.ign"] = contains {
        '"version": "3.3.0"', "data:,worker-r5qnn72.lab.example.org%0A", '"sshAuthorizedKeys": ["ssh-ed25519 ',
        '"hello.service", "enabled": true, "contents": "[Unit]\\nDescription=Says hello from 52:54:00:12:34:56\\n',
      },
    },
  },
}

test "the URL in its arguments is that of this document" {
  given  = worker,
  expect = {
    args = contains("/config/~mac=52:54:00:12:34:56~serial=R5QNN72~product-hex=5261636b2022313222~arch=efi-x64"
                    .. "/node.ign"),
  },
}

test "the controller is installed on its disk" {
  given  = { mac = "52:54:00:00:00:10", arch = "efi-x64" },
  expect = {
    boot = "fedora-coreos-install",
    args = contains { "coreos.inst.install_dev=/dev/nvme0n1", "coreos.inst.ignition_url=http://" },
    config = { ["node.ign"] = contains { '"mask": true', "data:,controller-52-54-00-00-00-10.lab" } },
  },
}

test "a Supermicro gets Flatcar" {
  given  = { mac = "3c:ec:ef:00:00:01", manufacturer = "Supermicro", arch = "bios" },
  expect = {
    boot = "flatcar", args = contains { "flatcar.first_boot=1", "/node.ign" },
    config = { ["node.ign"] = contains "worker-3c-ec-ef-00-00-01" },
  },
}

test "a laptop is left alone, and has no document" {
  given  = { mac = "3c:ec:ef:00:00:02", arch = "efi-x64" },
  expect = { boot = "ignore", config = { ["node.ign"] = false } },
}
