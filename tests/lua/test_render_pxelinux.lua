local ipxe_model = require "ipxe_model"
local model = require "pxelinux_model"
local pxelinux = require "render.pxelinux"

local tests = {}

local TFTP = { protocol = "tftp", server = "10.0.0.2", base = "http://10.0.0.2:8080" }
local HTTP = { protocol = "http", server = "10.0.0.2", base = "http://10.0.0.2:8080" }

local function decision(plan)
    return { verdict = "boot", initrd = plan.initrd or {}, args = plan.args or {}, kernel = plan.kernel or "vmlinuz" }
end

local function boot(plan, request)
    local text, problem = pxelinux.render(decision(plan), request or TFTP)
    if not text then
        return nil, problem
    end
    local config = model.read(text)
    assert(config.default == "boot" and config.prompt == "0")
    return model.command_line(config.labels.boot)
end

function tests.files_are_named_for_the_protocol()
    local plan = { kernel = "el9/vmlinuz", initrd = { "el9/a.img", "http://other/b c" }, args = { "x" } }
    local line, kernel, files = boot(plan)
    assert(line == "x" and kernel == "10.0.0.2::assets/el9/vmlinuz")
    assert(files[1] == "10.0.0.2::assets/el9/a.img" and files[2] == "http://other/b%20c" and not files[3])
    line, kernel, files = boot(plan, HTTP)
    assert(line == "x" and kernel == "http://10.0.0.2:8080/assets/el9/vmlinuz")
    assert(files[1] == "http://10.0.0.2:8080/assets/el9/a.img")
    kernel = select(2, boot { kernel = "tftp://10.0.0.9/linux" })
    assert(kernel == "10.0.0.9::linux")
    kernel = select(2, boot { kernel = "/made/here" })
    assert(kernel == "http://10.0.0.2:8080/made/here")
end

function tests.arguments_come_through()
    for _, case in ipairs {
        "ds=nocloud-net;s=http://10.0.0.2/", "a=b&c", "#hash", ";", "|", "$HOME", "${x}", "{", "back\\slash", "it's", "`x`",
        "%41", "grün", "à", "--", "-", "a=two  words", 'x="y z"', "tab\there", "APPEND", "LABEL x",
    } do
        local line, problem = boot { args = { "first", case, "last" } }
        assert(line, problem)
        local args = ipxe_model.kernel_arguments(line)
        assert(args[1][1] == "first" and args[3][1] == "last" and not args[4], line)
        assert(case:find('"', 1, true) or table.concat(args[2], "=") == case, line)
    end
end

function tests.random_arguments_read_back()
    local alphabet = { "a", "=", " ", "\t", "#", ";", "|", "$", "{", "\\", "'", '"', "ü", "\160", "\1", "-", ",", "\n", "initrd=" }
    math.randomseed(20240613)
    local written, refused = 0, 0
    for _ = 1, 20000 do
        local args = {}
        for i = 1, math.random(4) do
            local parts = {}
            for j = 1, math.random(0, 5) do
                parts[j] = alphabet[math.random(#alphabet)]
            end
            args[i] = table.concat(parts)
        end
        local line, problem = boot { args = args }
        if line then
            written = written + 1
            local parsed, n = ipxe_model.kernel_arguments(line), 0
            for _, arg in ipairs(args) do
                if arg ~= "" then
                    n = n + 1
                    assert(parsed[n], ("%q is not in %q"):format(arg, line))
                    assert(arg:find('"', 1, true) or table.concat(parsed[n], "=") == arg, ("%q read as %q"):format(arg, line))
                end
            end
            assert(not parsed[n + 1], line)
        else
            refused = refused + 1
            local joined = table.concat(args, " ")
            assert(problem and (joined:find('["\1\n]') or joined:find("initrd=", 1, true) or joined:find("-", 1, true)), joined)
        end
    end
    assert(written > 5000 and refused > 1000, written)
end

function tests.what_cannot_be_written_is_refused()
    for _, plan in ipairs {
        { args = { "-" } }, { args = { "x.initrd=y" } }, { args = { "a\nb" } }, { kernel = "a b" }, { kernel = "iscsi:x" },
        { initrd = { "a,b" } }, { initrd = { "a b" } }, { args = { ("x"):rep(2048) } },
    } do
        local line, problem = boot(plan)
        assert(line == nil and type(problem) == "string")
    end
    local none, problem = pxelinux.render({ verdict = "boot", profile = {}, args = {}, initrd = {} }, TFTP)
    assert(none == nil and problem:find("the profile names no kernel", 1, true))
    for _, url in ipairs { "http://x/y.ipxe", "http://x/y.efi" } do
        assert(not pxelinux.render({ verdict = "chain", url = url }, TFTP))
    end
end

function tests.the_other_verdicts()
    local function label(d)
        local config = model.read(pxelinux.render(d, TFTP))
        return config.labels.boot, config.said[1]
    end
    assert(label { verdict = "disk" }.localboot == "0")
    assert(label { verdict = "ignore" }.localboot == "-1")
    local denied, said = label { verdict = "deny", why = "stolen\nLABEL x" }
    assert(denied.localboot == "-1" and said == "moonboot: denied: stolen?LABEL x")
    assert(label({ verdict = "chain", url = "http://x/y.0" }).pxe == "http://x/y.0")
    assert(label({ verdict = "chain", url = "http://x/y.c32" }).com32 == "http://x/y.c32")
    assert(label({ verdict = "chain", url = "tftp://10.0.0.9/z/w.cfg" }).config == "10.0.0.9::z/w.cfg")
    local config = model.read(pxelinux.render({ verdict = "shell" }, TFTP))
    assert(config.prompt == "1" and not next(config.labels))
end

function tests.a_menu()
    local menu = { title = "pick one", timeout = 2.5, default = 2, entries = {
        { label = "install\nLABEL x", decision = decision { args = { "a=b c" } } },
        { label = "disk", decision = { verdict = "disk" } },
    } }
    local config = model.read(pxelinux.render({ verdict = "menu", menu = menu }, TFTP))
    assert(config.default == "2" and config.timeout == "25" and config.prompt == "1")
    assert(model.command_line(config.labels["1"]) == 'a="b c"' and config.labels["2"].localboot == "0")
    assert(config.said[1] == "pick one" and config.said[2] == "1  install?LABEL x" and config.said[3] == "2  disk")
    menu.timeout = nil
    assert(model.read(pxelinux.render({ verdict = "menu", menu = menu }, TFTP)).timeout == "0")
end

return tests
