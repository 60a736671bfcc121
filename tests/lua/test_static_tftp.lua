-- Policies beside a TFTP server of plain files.

local engine = require "engine"

local tests = {}

local BUILT_IN = ": that needs the built-in server (site.yaml: `tftp: { backend: builtin }`), and the backend is hpa"
local WRITTEN = "asks TFTP for a configuration, which is written for the machine that asks"

local function problems_of(text, static)
    local _, problems = engine.load { text = text, display = "policy.lua", static_tftp = static }
    return problems and table.concat(problems, "\n") or ""
end

-- Refused with these problems beside static files, and good beside the built-in server.
local function refuses(text, ...)
    local found, wanted = problems_of(text, true), table.concat({ ... }, "\n")
    if found ~= wanted then
        error("expected:\n" .. wanted .. "\nfound:\n" .. found, 2)
    end
    assert(problems_of(text, false) == "")
end

local function accepts(text)
    local found = problems_of(text, true)
    if found ~= "" then
        error("refused: " .. found, 2)
    end
end

tests["names by machine are refused, at their line"] = function()
    refuses([[
profile "p" {
  kernel = "k",
  files = { ["grubx64.efi"] = "x" },
}
rule "r" { boot = "p",
  files = { secret = false } }
]], "policy.lua:3: files: names by the machine that asks TFTP" .. BUILT_IN,
            "policy.lua:6: files: names by the machine that asks TFTP" .. BUILT_IN)
end

tests["loaders that are configured by TFTP are refused"] = function()
    for _, loader in ipairs { "pxelinux", "grub", "shim" } do
        refuses(('profile "p" {\n  kernel = "k",\n  dhcp = { loader = "%s" } }\nrule "r" { boot = "p" }'):format(loader),
                ("policy.lua:3: dhcp.loader: %s %s%s"):format(loader, WRITTEN, BUILT_IN))
    end
end

tests["a loader by its file's name is the same, where the policy says what boots"] = function()
    refuses('profile "p" { kernel = "k", dhcp = { file = "x/pxelinux.0" } }\nrule "r" { boot = "p" }',
            "policy.lua:1: dhcp.file: x/pxelinux.0 " .. WRITTEN .. BUILT_IN)
    refuses('profile "p" { kernel = "k" }\nrule "r" { boot = "p", dhcp = { file = "grubnetx64.efi" } }',
            "policy.lua:2: dhcp.file: grubnetx64.efi " .. WRITTEN .. BUILT_IN)
    refuses('rule "r" { boot = { kernel = "k", dhcp = { file = "shimx64.efi" } } }',
            "policy.lua:1: dhcp.file: shimx64.efi " .. WRITTEN .. BUILT_IN)
end

tests["a script that is written for the machine is refused"] = function()
    refuses('profile "p" { dhcp = { file = "boot.ipxe" } }\nrule "r" { boot = "p" }',
            "policy.lua:1: dhcp.file: boot.ipxe is written for the machine that asks" .. BUILT_IN)
end

tests["what comes by HTTP, from elsewhere or from the site's own files is taken"] = function()
    accepts 'profile "p" { kernel = "k" }\nrule "r" { boot = "p" }'
    accepts 'profile "p" { kernel = "k", dhcp = { loader = "ipxe" } }\nrule "r" { boot = "p" }'
    accepts 'profile "p" { kernel = "k", dhcp = { loader = "lpxelinux" } }\nrule "r" { boot = "p" }'
    accepts 'profile "p" { dhcp = { file = "pxelinux.0" } }\nrule "r" { boot = "p" }'
    accepts 'profile "p" { kernel = "k", dhcp = { file = "tftp://10.0.0.9/pxelinux.0" } }\nrule "r" { boot = "p" }'
    accepts 'profile "p" { kernel = "k", dhcp = { file = "pxelinux.0", server = "10.0.0.9" } }\nrule "r" { boot = "p" }'
    accepts 'profile "p" { kernel = "k", dhcp = { file = "own.efi" } }\nrule "r" { boot = "p" }'
end

return tests
