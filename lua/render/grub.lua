-- GRUB 2 scripts: the one that asks, and the one for each decision. They keep to what Debian's
-- signed network image has built in (2.06).
--
-- GRUB knows only the boot server that the network's own DHCP server names, so that ours stands in
-- all that is written here. Up to 2.06 it reaches HTTP on port 80 alone: what cannot be had from
-- there is fetched by TFTP, which has the assets too.

local cmdline = require "render.cmdline"
local text = require "render.grub_text"
local url = require "url"

local grub = {}

local LOAD = { tries = 5, pause = 5 }
local ASK = { tries = 12, pause = 5 }
local PAUSE = 10

-- What a machine tells of itself: query parameter, SMBIOS structure, and its string's number.
local STRINGS = {
    { "serial", 1, 7 }, { "manufacturer", 1, 4 }, { "product", 1, 5 }, { "asset", 3, 8 },
}

-- The loaders of operating systems on a disk, by architecture; the last one is whatever a disk has.
local DISK_LOADERS = {
    "/EFI/Microsoft/Boot/bootmgfw.efi",
    "/EFI/debian/shimx64.efi", "/EFI/ubuntu/shimx64.efi", "/EFI/redhat/shimx64.efi",
    "/EFI/centos/shimx64.efi", "/EFI/rocky/shimx64.efi", "/EFI/almalinux/shimx64.efi",
    "/EFI/fedora/shimx64.efi", "/EFI/opensuse/shim.efi", "/EFI/sles/shim.efi",
    "/EFI/debian/grubx64.efi", "/EFI/BOOT/BOOTX64.EFI", "/EFI/BOOT/BOOTAA64.EFI",
}

local function add(lines, part, indent)
    if type(part) == "string" then
        lines[#lines + 1] = indent .. part
        return
    end
    for _, each in ipairs(part) do
        add(lines, each, type(each) == "table" and part.block and indent .. "  " or indent)
    end
end

-- A script of lines and lists of lines.
local function script(...)
    local lines = {}
    add(lines, { ... }, "")
    return table.concat(lines, "\n") .. "\n"
end

-- Lines between two, indented.
local function block(first, lines, last)
    return { block = true, first, lines, last }
end

local function say(message)
    return "echo " .. text.message("moonboot: " .. message)
end

local function leave(message, pause)
    return { say(message), pause and "sleep " .. pause or {}, "exit" }
end

-- Does `body` until it leaves, with pauses; then says that there is a problem, and leaves.
local function again(limit, problem, body)
    local tries = {}
    for i = 1, limit.tries do
        tries[i] = tostring(i)
    end
    return {
        block("for try in " .. table.concat(tries, " ") .. "; do", {
            body, say(problem .. ": trying again"), "sleep " .. limit.pause,
        }, "done"),
        leave(problem .. ": leaving network boot"),
    }
end

-- The devices of this server, the faster one first; an https server has but one.
local function devices(request)
    local list = {}
    local http = request.base:match("^http://([^/]+)$")
    if http then
        list[1] = { name = "(http," .. http:gsub(":80$", "") .. ")", encode = url.encode_path }
    end
    list[#list + 1] = { name = "(tftp," .. request.server .. ")", encode = function(path) return path end }
    return list
end

-- The places of a file that a policy named -> list of GRUB's names for it, or nil and why not.
local function places(name, request)
    local list = {}
    local scheme, at, path = name:match("^(%a[%w+.-]*)://([^/]+)(/.*)$")
    if scheme == "http" or scheme == "tftp" then
        list[1] = ("(%s,%s)%s"):format(scheme, at:gsub(":80$", ""), url.clean(path))
    elseif url.is_absolute(name) then
        return nil, ("GRUB cannot load %s"):format(name)
    else
        for i, device in ipairs(devices(request)) do
            local file = name:sub(1, 1) == "/" and url.clean(name) or "/assets/" .. device.encode(name)
            list[i] = device.name .. file
        end
    end
    for _, place in ipairs(list) do
        if place:find("[%s\160]") then
            return nil, ("%s: GRUB cannot load a file with white space in its name"):format(name)
        end
    end
    return list
end

-- All places of several files: the lists by place, each of them as words of a script.
local function by_place(names, request)
    local lists = {}
    for _, name in ipairs(names) do
        local found, problem = places(name, request)
        if not found then
            return nil, problem
        end
        for i = 1, 2 do
            local word
            word, problem = text.word(found[i] or found[1])
            if not word then
                return nil, problem
            end
            lists[i] = lists[i] or {}
            table.insert(lists[i], word)
        end
    end
    return lists
end

local function load(kernel, initrd, arguments)
    local linux = ("linux %s %s"):format(kernel, arguments):gsub(" $", "")
    if initrd == "" then
        return block(("if %s; then"):format(linux), { "boot" }, "fi")
    end
    return block(("if %s; then"):format(linux), block(("if initrd %s; then"):format(initrd), { "boot" }, "fi"), "fi")
end

local function boot(decision, request)
    local arguments, problem = text.arguments(decision.args)
    if not arguments then
        return nil, problem
    end
    local kernels, initrds
    kernels, problem = by_place({ decision.kernel }, request)
    if not kernels then
        return nil, problem
    end
    initrds, problem = by_place(decision.initrd, request)
    if not initrds then
        return nil, problem
    end
    local loads = {}
    for i = 1, 2 do
        local initrd = table.concat(initrds[i] or {}, " ")
        if i == 1 or kernels[2][1] ~= kernels[1][1] then
            loads[i] = load(kernels[i][1], initrd, arguments)
        end
    end
    return again(LOAD, "could not boot", loads)
end

-- Another program or script. GRUB loads EFI programs; what is no program it reads as a script.
local function chain(target, request)
    local found, problem = places(target, request)
    if found and target:find("%.ipxe$") then
        return nil, ("%s: GRUB cannot run an iPXE script"):format(target)
    elseif not found then
        return nil, problem
    end
    local tries = {}
    local program = target:lower():find("%.efi$")
    for i, place in ipairs(found) do
        local word
        word, problem = text.word(place)
        if not word then
            return nil, problem
        end
        tries[i] = program and block(("if chainloader %s; then"):format(word), { "boot" }, "fi")
            or "configfile " .. word
    end
    return again(LOAD, "could not chain", tries)
end

-- A boot program of EFI's ends by starting the next entry of the firmware only when it failed, and
-- GRUB's `exit` is none: so the disk's own loader is looked for. `root` is the disk that it is then
-- told to be from.
local function disk()
    local words = {}
    for i, name in ipairs(DISK_LOADERS) do
        words[i] = text.word(name)
    end
    return {
        say "booting from the local disk",
        block("if [ \"$grub_platform\" = efi ]; then",
            block("for file in " .. table.concat(words, " ") .. "; do",
                block("if search --no-floppy --set=root --file \"$file\"; then",
                    block("if chainloader \"$file\"; then", { "boot" }, "fi"), "fi"), "done"), "fi"),
        block("if [ \"$grub_platform\" = pc ]; then",
            { "set root=hd0", block("if chainloader +1; then", { "boot" }, "fi") }, "fi"),
        "exit",
    }
end

local menu

-- The lines for a decision whose texts are filled in, or nil and why there is no way to write it.
local function lines(decision, request)
    local verdict = decision.verdict
    if verdict == "disk" then
        return disk()
    elseif verdict == "deny" then
        return leave("denied: " .. decision.why, PAUSE)
    elseif verdict == "chain" then
        return chain(decision.url, request)
    elseif verdict == "menu" then
        return menu(decision.menu, request)
    elseif verdict == "shell" then
        return { say "this is GRUB's shell: exit leaves it" }
    elseif verdict ~= "boot" then
        return leave "nothing to boot for this machine"
    end
    local unfit = cmdline.unfit(decision, "GRUB")
    if unfit then
        return nil, unfit
    end
    return boot(decision, request)
end

function menu(choices, request)
    local parts = {
        choices.title and say(choices.title) or {},
        "set default=" .. (choices.default or 1) - 1,
        choices.timeout and "set timeout=" .. math.ceil(choices.timeout) or "set timeout=-1",
    }
    for _, entry in ipairs(choices.entries) do
        local body, problem = lines(entry.decision, request)
        if not body then
            return nil, problem
        end
        parts[#parts + 1] = block("menuentry " .. text.message(entry.label) .. " {", body, "}")
    end
    return parts
end

-- The script for a decision whose texts are filled in, or nil and why there is no way to write it.
function grub.render(decision, request)
    local body, problem = lines(decision, request)
    if not body then
        return nil, problem
    end
    return script("set answered=yes", body)
end

-- For what a machine tells that is malformed.
function grub.failure(message)
    return script("set answered=yes", leave(message, PAUSE))
end

-- The script that tells what GRUB knows of its machine, and runs the answer. By the protocol by
-- which it is fetched itself: values are sent as they are, and those that it has no way to send
-- are left out.
function grub.ask(request)
    local tftp = request.protocol == "tftp"
    local list = devices(request)
    local device = tftp and list[#list] or list[1]
    local sendable = tftp and "^[ -~]+$" or "^[!-$&-~]+$"
    local gather = {}
    for _, string in ipairs(STRINGS) do
        gather[#gather + 1] = block(
            ("if smbios --type %d --get-string %d --set value; then"):format(string[2], string[3]),
            block(("if regexp '%s' \"$value\"; then"):format(sendable),
                { ("set what=\"$what&%s=$value\""):format(string[1]) }, "fi"), "fi")
    end
    return script(
        "# Tells moonboot what this machine is, and runs its answer.",
        "set what=\"platform=$grub_platform&buildarch=$grub_cpu&mac=$net_default_mac\"",
        block("if [ -n \"$net_default_ip\" ]; then", { "set what=\"$what&ip=$net_default_ip\"" }, "fi"),
        block("if smbios --type 1 --get-uuid 8 --set value; then", { "set what=\"$what&uuid=$value\"" }, "fi"),
        gather,
        "set answered=",
        block("for try in " .. ("x "):rep(ASK.tries) .. "; do",
            block("if [ -z \"$answered\" ]; then", {
                ("source \"%s/grub?$what\""):format(device.name),
                block("if [ -z \"$answered\" ]; then", {
                    say "no answer from the boot server: trying again", "sleep " .. ASK.pause,
                }, "fi"),
            }, "fi"), "done"),
        block("if [ -z \"$answered\" ]; then", { leave "no answer: leaving network boot" }, "fi"))
end

return grub
