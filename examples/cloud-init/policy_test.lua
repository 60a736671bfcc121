local key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP0eGsH8fBUu6bwuGxoAmvBkkwvs4DEvox4u5j1k06DS admin@example.org"
local guest = { mac = "52:54:00:12:34:56", uuid = "4C4C4544-0052-3510-8051-B4C04F4E3732", arch = "efi-x64" }

test "a guest is told where its three documents are" {
  given  = guest,
  expect = {
    rule = "guests", boot = "ubuntu-in-memory",
    args = contains {
      "root=squash:http://10.0.0.2:8080/assets/ubuntu/noble/squashfs", "BOOTIF=01-52-54-00-12-34-56",
      "ds=nocloud-net;s=http://10.0.0.2:8080/config/"
        .. "~mac=52:54:00:12:34:56~uuid=4c4c4544-0052-3510-8051-b4c04f4e3732~arch=efi-x64/nocloud/",
    },
  },
}

test "they are its own" {
  given  = guest,
  expect = {
    config = {
      ["nocloud/user-data"]   = contains { "#cloud-config\nusers:\n", 'name: "alex"', "- path: /etc/motd" },
      ["nocloud/meta-data"]   = 'instance-id: "iid-4c4c4544-0052-3510-8051-b4c04f4e3732"\n'
                                .. 'local-hostname: "node-123456"\n',
      ["nocloud/vendor-data"] = contains { 'timezone: "Europe/Berlin"', 'servers: ["pool.ntp.org"]' },
    },
  },
}

test "a web server gets more, and keeps the name that DHCP gave it" {
  given  = { mac = "3c:ec:ef:00:00:01", hostname = "WWW1", gateway = "10.0.0.1", label = { role = "web" } },
  expect = {
    rule = "web servers",
    config = {
      ["nocloud/user-data"]   = contains { 'packages: ["nginx", "certbot"]', '"<h1>www1</h1>\\n"', "systemctl reload" },
      ["nocloud/meta-data"]   = contains 'local-hostname: "www1"',
      ["nocloud/vendor-data"] = contains 'servers: ["10.0.0.1"]',
    },
  },
}

test "among the guests too" {
  given  = { mac = "52:54:00:12:34:57", arch = "efi-x64", label = { role = "web" } },
  expect = { rule = "web servers" },
}

test "a guest has what is its own, and nothing of a web server's" {
  given  = { mac = "52:54:00:12:34:56", arch = "bios" },
  expect = {
    config = {
      ["nocloud/user-data"] = [==[
#cloud-config
users:
  - name: "alex"
    gecos: "Alex O'Neill: on call"
    groups: [adm, sudo]
    shell: /bin/bash
    sudo: "ALL=(ALL) NOPASSWD:ALL"
    lock_passwd: true
    ssh_authorized_keys: ["]==] .. key .. [==["]
ssh_pwauth: false

write_files:
  - path: /etc/motd
    permissions: "0644"
    content: "node.\nIt lives in memory: what is written here is gone after a restart.\n"

runcmd:
  - [logger, -t, moonboot, "role node, serial unknown"]
  - "echo 'some machine' > /run/product"
]==],
    },
  },
}

test "no serial number can break out of its document" {
  given  = { mac = "52:54:00:00:00:01", arch = "bios", serial = '"]}\nruncmd: [reboot] #', product = "'; reboot; '" },
  expect = {
    config = {
      ["nocloud/user-data"] = contains {
        [==["role node, serial \"]}\nruncmd: [reboot] #"]]==],
        [==[- "echo ''\\''; reboot; '\\''' > /run/product"]==],
      },
    },
  },
}

test "any other machine is left alone" {
  given  = { mac = "3c:ec:ef:00:00:02", arch = "efi-x64" },
  expect = { rule = "everyone else", boot = "ignore" },
}

test "whatever a BIOS says, the documents have their lines" {
  for_all = { serial = any.text, product = any.text },
  given   = { mac = "52:54:00:00:00:01", arch = "bios" },
  expect  = function(found)
    local text = found.config["nocloud/user-data"]
    if not text then
      return found.error:find "NUL" ~= nil, found.error -- no shell can be told one
    end
    local _, lines = text:gsub("\n", "")
    return lines == 19, lines .. " lines"
  end,
}
