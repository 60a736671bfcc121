-- PXELINUX configurations.
--
-- A line is a keyword and its value, which ends with the line; there are no quotes, escapes or
-- comments in it. Files are named in full, so that the directory which the loader came from means
-- nothing: by TFTP as server::name, where the loader itself came by HTTP as a URL.

local cmdline = require "render.cmdline"
local url = require "url"

local pxelinux = {}

-- A longer line is read as two (readconfig.c, MAX_LINE).
local LINE_MAX = 4000

local LOCAL = { disk = "LOCALBOOT 0", next = "LOCALBOOT -1" }

-- A message for a person.
local function message(text)
    return (text:gsub("[^\32-\126]+", "?"))
end

local function say(text)
    return "SAY moonboot: " .. message(text)
end

-- A file that a policy named, as the loader's name for it; or nil and why not.
local function file(name, request)
    local host, path = name:match("^tftp://([^/:]+)/(.*)$")
    local found
    if host then
        found = host .. "::" .. path
    elseif url.is_absolute(name) then
        found = url.clean(name)
        if not found:find("^https?://") and not found:find("^ftp://") then
            return nil, ("PXELINUX cannot load %s"):format(name)
        end
    elseif request.protocol == "http" then
        found = url.resolve(request.base, name)
    elseif name:sub(1, 1) == "/" then
        found = request.base .. url.clean(name) -- no file: only HTTP has it
    else
        found = request.server .. "::assets/" .. name
    end
    if found:find("[%c \160]") then
        return nil, ("%s: PXELINUX cannot load a file with white space in its name"):format(name)
    end
    return found
end

local function files(names, request)
    local found = {}
    for i, name in ipairs(names) do
        local problem
        found[i], problem = file(name, request)
        if not found[i] then
            return nil, problem
        elseif found[i]:find(",", 1, true) then
            return nil, ("%s: PXELINUX takes a comma for the end of an initrd's name"):format(name)
        end
    end
    return table.concat(found, ",")
end

-- What to boot, as the lines of a label.
local function boot(decision, request)
    local unfit = cmdline.unfit(decision, "PXELINUX")
    if unfit then
        return nil, unfit
    end
    local line, kernel, initrd, problem
    line, problem = cmdline.line(decision.args)
    if not line then
        return nil, problem
    elseif line == "-" then
        return nil, "PXELINUX takes an argument \"-\" that is alone for none"
    elseif line:find("^%c") then
        return nil, "PXELINUX takes a control character before the arguments for white space"
    end
    kernel, problem = file(decision.kernel, request)
    if not kernel then
        return nil, problem
    end
    initrd, problem = files(decision.initrd, request)
    if not initrd then
        return nil, problem
    elseif #line > LINE_MAX or #initrd > LINE_MAX then
        return nil, ("PXELINUX takes no line of more than %d bytes"):format(LINE_MAX)
    elseif line:find("initrd=", 1, true) then
        return nil, "PXELINUX would load what stands behind \"initrd=\" in the arguments"
    end
    local body = { "LINUX " .. kernel }
    body[#body + 1] = initrd ~= "" and "INITRD " .. initrd or nil
    body[#body + 1] = "APPEND " .. line
    return body
end

-- Another configuration, module or boot program, by the end of its name.
local function chain(target, request)
    local name, problem = file(target, request)
    if not name then
        return nil, problem
    end
    local suffix = name:match("%.(%w+)$")
    if suffix == "ipxe" or suffix == "efi" then
        return nil, ("%s: PXELINUX cannot run it"):format(target)
    elseif suffix == "0" or suffix == "kpxe" or suffix == "kkpxe" or suffix == "pxe" then
        return { "PXE " .. name }
    elseif suffix == "c32" then
        return { "COM32 " .. name }
    end
    return { "CONFIG " .. name }
end

-- The lines of a label for a decision, or nil and why there is no way to write it.
local function lines(decision, request)
    local verdict = decision.verdict
    if verdict == "boot" then
        return boot(decision, request)
    elseif verdict == "chain" then
        return chain(decision.url, request)
    elseif verdict == "menu" then
        return nil, "PXELINUX has no menu within a menu"
    end
    return { verdict == "disk" and LOCAL.disk or LOCAL.next }
end

local function label(into, name, body)
    into[#into + 1] = "LABEL " .. name
    for _, line in ipairs(body) do
        into[#into + 1] = "  " .. line
    end
end

-- Entries are chosen by typing their number; without a time-out it waits for that.
local function menu(choices, request)
    local text = { choices.title and "SAY " .. message(choices.title) or "SAY moonboot" }
    local labels = {}
    for i, entry in ipairs(choices.entries) do
        local body, problem = lines(entry.decision, request)
        if not body then
            return nil, problem
        end
        text[#text + 1] = ("SAY %3d  %s"):format(i, message(entry.label))
        label(labels, i, body)
    end
    text[#text + 1] = "DEFAULT " .. (choices.default or 1)
    text[#text + 1] = "PROMPT 1"
    text[#text + 1] = "TIMEOUT " .. math.ceil((choices.timeout or 0) * 10)
    for _, line in ipairs(labels) do
        text[#text + 1] = line
    end
    return text
end

local SAID = {
    disk = "booting from the local disk", ignore = "nothing to boot for this machine",
    undetermined = "nothing to boot for this machine",
}

-- The configuration for a decision whose texts are filled in, or nil and why there is no way to
-- write it.
function pxelinux.render(decision, request)
    local text, problem
    if decision.verdict == "menu" then
        text, problem = menu(decision.menu, request)
    elseif decision.verdict == "shell" then
        text = { say "this is PXELINUX's prompt", "PROMPT 1", "TIMEOUT 0" }
    else
        local body
        body, problem = lines(decision, request)
        if body then
            local said = decision.verdict == "deny" and "denied: " .. decision.why or SAID[decision.verdict]
            text = { "DEFAULT boot", "PROMPT 0" }
            text[#text + 1] = said and say(said) or nil
            label(text, "boot", body)
        end
    end
    if not text then
        return nil, problem
    end
    return table.concat(text, "\n") .. "\n"
end

return pxelinux
