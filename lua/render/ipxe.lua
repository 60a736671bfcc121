-- iPXE scripts: the one that asks, and the one for each decision.
--
-- They keep to what Debian's iPXE of 2019 has. Every script ends by leaving network
-- boot when it can do no more: `exit 1` under EFI, where a successful exit would stop
-- at the firmware's menu (UEFI 3.1.1), and plain `exit` on a BIOS, whose ROM would try
-- the next card after a failure.

local cmdline = require "render.cmdline"
local text = require "render.ipxe_text"
local url = require "url"

local host = host
local concat, match = table.concat, string.match

local ipxe = {}

local LEAVE = {
    "iseq ${platform} efi && exit 1 ||",
    "exit",
}

-- What a machine tells of itself: query parameter, iPXE setting. Text of unknown content
-- is encoded; the other types print as harmless characters.
local ATTRIBUTES = {
    { "platform", "${platform}" },
    { "uuid", "${uuid}" },
    { "serial", "${serial:uristring}" },
    { "asset", "${asset:uristring}" },
    { "manufacturer", "${manufacturer:uristring}" },
    { "product", "${product:uristring}" },
    { "hostname", "${hostname:uristring}" },
    { "domain", "${domain:uristring}" },
    { "ip", "${netX/ip}" },
    { "gateway", "${netX/gateway}" },
}

-- Tries and pauses in seconds: a spanning tree takes 30 to 50 s, a server's restart less.
local ASK = { tries = 30, pause = 5 }
local LOAD = { tries = 5, pause = 5 }
local FAIL = { tries = 30, pause = 10 }
local DENIED_PAUSE = 10

local function add(lines, parts)
    for i = 1, #parts do
        local part = parts[i]
        if type(part) == "string" then
            lines[#lines + 1] = part
        else
            add(lines, part)
        end
    end
end

-- Lines and lists of lines as one text.
local function joined(...)
    local lines = {}
    add(lines, { ... })
    return concat(lines, "\n")
end

local function script(...)
    return joined("#!ipxe", { ... }, "")
end

local function say(message)
    local used = {}
    local tokens = text.tokens(text.message(message), used)
    return { text.settings(used), "echo moonboot: " .. tokens }
end

-- Counts a failure in `counter` and goes back to `label` after a pause, or leaves when
-- there were enough. `id` makes the labels of a script's parts differ.
local function again(counter, label, limit, problem, id)
    id = id or ""
    return {
        "inc " .. counter,
        ("iseq ${%s} %d && goto leave%s ||"):format(counter, limit.tries, id),
        ("echo moonboot: %s: try ${%s} of %d failed, next in %d s"):format(
            problem, counter, limit.tries, limit.pause),
        ("sleep %d ||"):format(limit.pause),
        "goto " .. label .. id,
        ":leave" .. id,
        say(problem .. ": leaving network boot"),
        LEAVE,
    }
end

-- The script of /boot.ipxe: gathers what the machine knows of itself and asks /ipxe.
-- `carried` is a query of what DHCP told (carry.lua).
-- `--replace`: when the answer ends, so does this script, and its retries with it.
function ipxe.ask(base, carried)
    local gather = {}
    for _, attribute in ipairs(ATTRIBUTES) do
        gather[#gather + 1] = ("isset %s && set what ${what}&%s=%s ||"):format(
            attribute[2], attribute[1], attribute[2])
    end
    return script(
        "# Tells moonboot what this machine is, and runs its answer.",
        "set what buildarch=${buildarch}" .. (carried and carried ~= "" and "&" .. carried or ""),
        -- netX: the interface that was opened last, which is the one that boots.
        "isset ${netX/mac} && set what ${what}&mac=${netX/mac:hexhyp} || set what ${what}&mac=${mac:hexhyp}",
        gather,
        "set asked:int32 0",
        ":ask",
        ("chain --replace --autofree %s/ipxe?${what} ||"):format(base),
        again("asked", "ask", ASK, "no answer from " .. base))
end

local is_name = host.only "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-"

-- Under EFI the kernel finds the image's name at the start of its command line. iPXE takes
-- it from the URL, which is fine unless it would be misread there. What names the kernel, and the
-- image's name.
local function named(kernel)
    local name = match(kernel, "^.*/(.+)$")
    if name and is_name(name) then
        return kernel, name
    end
    return "--name vmlinuz " .. kernel, "vmlinuz"
end

-- The line that stops what goes on unless that image is the one that was signed: its signature
-- is beside it.
local function verified(name, target, id)
    local path, query = match(target, "^([^?#]*)(.*)$")
    return "imgverify " .. name .. " " .. path .. ".cms" .. query .. " || goto failed" .. id
end

-- Around what is loaded, for a script of one part: it is always the same.
local NOTHING = {}
local BEGIN_LOAD = joined("set loaded:int32 0", ":load", "imgfree")
local END_LOAD = joined("boot ||", ":failed", again("loaded", "load", LOAD, "could not boot"))

-- Boots what the decision's profile names. Under EFI the kernel finds its initrds by
-- the names in `initrd=`; a BIOS kernel is handed them, and its arguments stay as the
-- policy wrote them.
local function boot(decision, base, machine, id)
    local args, n = { nil, nil, nil, nil, nil, nil, nil, nil }, 0 -- room for as many as there often are
    if machine.arch ~= "bios" then
        n = #decision.initrd
        for i = 1, n do
            args[i] = "initrd=initrd" .. i
        end
    end
    local own = decision.args
    for i = 1, #own do
        args[n + i] = own[i]
    end
    local line, problem = cmdline.line(args)
    local tokens, used = line, nil
    if line and not text.is_plain(line) then
        if machine.arch ~= "bios" then
            line, problem = text.latin1(line)
        end
        used = {}
        if line then
            tokens, problem = text.tokens(line, used)
        end
    end
    if not line or not tokens then
        return nil, problem
    end

    local parts = { used and text.settings(used) or NOTHING,
                    id == "" and BEGIN_LOAD or { "set loaded:int32 0", ":load" .. id, "imgfree" }, nil, nil, nil }
    local verify = decision.profile and decision.profile.verify
    if verify then -- from here on nothing runs that has not been verified
        parts[3] = "imgtrust --permanent || goto failed" .. id
    end
    local kernel = url.resolve(base, decision.kernel)
    local image, name = named(kernel)
    parts[#parts + 1] = "kernel " .. image .. " " .. tokens .. " || goto failed" .. id
    if verify then
        parts[#parts + 1] = verified(name, kernel, id)
    end
    for i, initrd in ipairs(decision.initrd) do
        local target = url.resolve(base, initrd)
        parts[#parts + 1] = "initrd --name initrd" .. i .. " " .. target .. " || goto failed" .. id
        if verify then
            parts[#parts + 1] = verified("initrd" .. i, target, id)
        end
    end
    parts[#parts + 1] = id == "" and END_LOAD
                        or { "boot ||", ":failed" .. id, again("loaded", "load", LOAD, "could not boot", id) }
    return parts
end

local function chain(target, base, id)
    return {
        "set loaded:int32 0",
        ":load" .. id,
        ("chain --replace --autofree %s ||"):format(url.resolve(base, target)),
        again("loaded", "load", LOAD, "could not chain", id),
    }
end

-- EFI goes on to its next boot entry, which is the disk when the firmware was told so; the ROM of
-- a BIOS has to start it.
local function disk()
    return {
        say "booting from the local disk",
        LEAVE[1],
        "sanboot --no-describe --drive 0x80 ||",
        "exit",
    }
end

local function deny(why)
    return { say("denied: " .. why), ("sleep %d ||"):format(DENIED_PAUSE), LEAVE }
end

local function shell()
    return { say "this is iPXE's shell: exit leaves it", "shell ||", LEAVE }
end

local menu

-- The lines for a decision whose texts are filled in, or nil and why there is no way to write it.
local function lines(decision, base, machine, id)
    local verdict = decision.verdict
    if verdict == "disk" then
        return disk()
    elseif verdict == "deny" then
        return deny(decision.why)
    elseif verdict == "chain" then
        return chain(decision.url, base, id)
    elseif verdict == "shell" then
        return shell()
    elseif verdict == "menu" then
        return menu(decision.menu, base, machine)
    elseif verdict ~= "boot" then
        return { say "nothing to boot for this machine", LEAVE }
    end
    local unfit = cmdline.unfit(decision, "iPXE")
    if unfit then
        return nil, unfit
    end
    return boot(decision, base, machine, id)
end

-- A text of a menu, as tokens; no option.
local function shown(message, used)
    return text.tokens(text.message(message):gsub("^[%s-]+", ""), used)
end

function menu(choices, base, machine)
    local used, items, parts = {}, {}, {}
    for i, entry in ipairs(choices.entries) do
        local body, problem = lines(entry.decision, base, machine, "_" .. i)
        if not body then
            return nil, problem
        end
        items[i] = ("item entry_%d %s"):format(i, shown(entry.label, used))
        parts[i] = { ":entry_" .. i, body }
    end
    local title = "menu " .. shown(choices.title or "", used)
    return {
        text.settings(used),
        title .. " || goto leave",
        items,
        ("choose%s%s selected || goto leave"):format(
            choices.default and " --default entry_" .. choices.default or "",
            choices.timeout and (" --timeout %d"):format(choices.timeout * 1000) or ""),
        "goto ${selected}",
        ":leave",
        LEAVE,
        parts,
    }
end

-- The script for a decision whose texts are filled in, or nil and why there is no way to write it.
function ipxe.render(decision, base, machine)
    local body, problem = lines(decision, base, machine, "")
    if not body then
        return nil, problem
    end
    local all = { "#!ipxe", nil, nil, nil, nil, nil, nil, nil } -- room for as many as there often are
    add(all, body)
    all[#all + 1] = ""
    return concat(all, "\n")
end

-- For a request that failed: says why and starts over after a pause. The count outlives
-- the script, as iPXE's settings do.
function ipxe.failure(message, base)
    return script(
        say(message),
        "isset ${failed} || set failed:int32 0",
        "inc failed",
        ("iseq ${failed} %d && goto leave ||"):format(FAIL.tries),
        ("sleep %d ||"):format(FAIL.pause),
        ("chain --replace --autofree %s/boot.ipxe ||"):format(base),
        ":leave",
        say "leaving network boot",
        LEAVE)
end

return ipxe
