-- Configurations for boot loaders: who asks, what the policy says, and when a file of the
-- asked name is given instead.
--
-- A name that the policy has decided about is answered with the decision. For a machine that it
-- leaves alone a file of that name is given, if there is one; otherwise there is none, and the
-- loader tries its next name. A rule that failed is a decision: what it would have hidden is not
-- to be found by going on.

local asked = require "asked"
local bootloaders = require "bootloaders"
local engine = require "engine"
local machine = require "machine"
local outcome = require "outcome"
local told = require "told"
local grub = require "render.grub"
local pixiecore = require "render.pixiecore"
local pxelinux = require "render.pxelinux"

local host = host

local configs = {}

-- Nothing was decided that a configuration could say: the machine is left alone, or is to boot
-- what stands in the site's own files.
local function is_silent(decision)
    if decision.error then
        return false
    elseif decision.verdict == "boot" then
        return not decision.profile.kernel
    end
    return decision.verdict == "ignore" or decision.verdict == "undetermined"
end

-- A decision as a configuration -> reply, info.
local function rendered(render, decision, request, who, stage)
    local text
    text, decision = outcome.settle(decision, function(d)
        return render(d, request, who)
    end)
    return { body = text, status = 200 }, outcome.info(who, decision, stage)
end

-- The file that the policy names for this path, or nil.
local function alias(decision, path)
    local file = decision.files and decision.files[path]
    if file then
        return { path = file, root = "tftp" }
    elseif file == false then
        return { error = "denied: " .. path, reason = "denied" }
    end
end

-- The place of a decision's rule in the policy; after all when it has none.
local function rank(policy, decision)
    for i, rule in ipairs(policy.rules) do
        if rule == decision.rule then
            return i
        end
    end
    return #policy.rules + 1
end

-- Decides about a machine whose UUID stands in a name: in which byte order, the rules tell. The
-- one that the earlier rule is about counts; what is sent on the wire is tried first.
local function decide_by_name(policy, fields, stage)
    local uuid = fields.uuid
    fields.uuid = asked.swapped(uuid)
    local who, problem = machine.new(fields, stage)
    if not who then
        return nil, problem
    end
    local decision = engine.decide(policy, who)
    fields.uuid = uuid
    local other = machine.new(fields, stage)
    local second = engine.decide(policy, other)
    if second.rule ~= decision.rule and rank(policy, second) < rank(policy, decision) then
        return second, other
    end
    return decision, who
end

-- The decision about who asks by this name -> decision, machine; or nil, problem.
local function decide(policy, name, request, stage)
    local fields = told.fields(name.query, request)
    fields.firmware = name.loader
    fields.mac = fields.mac or name.mac
    fields.ip = name.ip or fields.ip
    if name.loader == "pxelinux" then
        fields.arch = fields.arch or "bios"
    end
    if name.uuid and not fields.uuid then
        fields.uuid = name.uuid
        return decide_by_name(policy, fields, stage)
    end
    if name.mac and not fields.uuid then
        fields.uuid = false -- it would have been asked for by its UUID before
    end
    local who, problem = machine.new(fields, stage)
    if not who then
        return nil, problem
    end
    return engine.decide(policy, who), who
end

-- GRUB can tell more than stands in a name: what is to be asked then is what it is sent.
local function grub_otherwise(name, decision)
    return name.loader == "grub" and (name.general and not name.mac or decision.verdict == "undetermined")
end

-- A configuration by name: `mac` is of the machine in whose directory it is asked for.
local function named(policy, request, name, mac)
    name.mac = mac or name.mac
    local render = name.loader == "grub" and grub.render or pxelinux.render
    local decision, who = decide(policy, name, request, name.loader == "grub" and "tftp" or "pxelinux")
    if not decision then
        return { error = who, reason = "failed" },
            { machine = name.mac or request.client, verdict = "refused", stage = name.loader, error = who }
    end
    local file = { path = name.path, root = "tftp" }
    local log = outcome.info(who, decision, name.loader)
    local other = alias(decision, name.path)
    if other then
        return other, log
    elseif grub_otherwise(name, decision) then
        file.otherwise = { body = grub.ask(request), status = 200 }
        return file, name.mac and log or nil
    elseif is_silent(decision) then
        return file, log
    end
    who.mac, who.uuid = who.mac or false, who.uuid or false -- what was not asked for is not told
    return rendered(render, decision, request, who, name.loader)
end

-- The answer to what GRUB tells of its machine (grub.ask).
function configs.grub(policy, request, text)
    local fields = told.fields(text, request)
    fields.firmware = "grub"
    local who, problem = machine.new(fields, "grub")
    if not who then
        return { body = grub.failure(problem), status = 200 },
            { machine = fields.mac or fields.ip, verdict = "refused", stage = "grub", error = problem }
    end
    return rendered(grub.render, engine.decide(policy, who), request, who, "grub")
end

-- Pixiecore's API: what the machine with this address boots.
function configs.pixiecore(policy, request, address)
    local mac = host.mac(address)
    if not mac then
        return { body = "no hardware address: " .. address .. "\n", status = 400 }
    end
    local who = machine.new({ mac = mac, interface = request.interface, firmware = "pixiecore" }, "pixiecore")
    local json, decision = outcome.settle(engine.decide(policy, who), function(d)
        return pixiecore.render(d, request.base)
    end)
    local log = outcome.info(who, decision, "pixiecore")
    if json == "" then
        return { error = "not to be booted from here", reason = "not-found" }, log
    end
    return { body = json, status = 200, type = "application/json" }, log
end

-- A path of TFTP or HTTP that is a loader's configuration -> reply, info; nil when it is none.
function configs.answer(policy, request, path, text)
    if not path:find(".cfg", 1, true) then
        return nil
    end
    local mac, rest = bootloaders.machine_of(path)
    local name = asked.read(text and text ~= "" and rest .. "?" .. text or rest)
    if name then
        return named(policy, request, name, mac)
    end
end

return configs
