-- From a request to a reply: who asks, what the policy says, how that looks on this
-- protocol. core/README.md has the two tables.

local bootloaders = require "bootloaders"
local carry = require "carry"
local configs = require "configs"
local controlled = require "controlled"
local engine = require "engine"
local events = require "events"
local identity = require "identity"
local machine = require "machine"
local machines = require "known"
local outcome = require "outcome"
local posted = require "posted"
local query = require "query"
local serve = require "serve"
local spent = require "spent"
local stages = require "stages"
local told = require "told"
local token = require "token"
local dhcp = require "render.dhcp"
local grub = require "render.grub"
local ipxe = require "render.ipxe"

local find = string.find

local host = host

local routes = {}

-- What a boot program is needed for: the rest is silence to a DHCP client.
local ANSWERED = { boot = true, chain = true, menu = true, shell = true, undetermined = true }

local function from_dhcp(policy, request)
    local settings = policy.settings.dhcp or {}
    local kind = dhcp.kind(request, settings)
    if not kind then
        return nil
    end
    local stage = request.port == 4011 and "dhcp-4011" or "dhcp"
    local who = machine.of_dhcp(request, dhcp.firmware(request, kind), dhcp.features(request.ipxe))
    local decision = engine.decide(policy, who)
    local log = outcome.info(who, decision, stage)
    if ANSWERED[decision.verdict] then
        local answer = dhcp.render(decision, request, kind, who.arch, settings,
                                   carry.query(policy.carried, who), kind == "http" and outcome.image(decision))
        return answer and { dhcp = answer }, log
    end
    return nil, log -- at once, so that firmware goes on to its next boot device
end

-- A name as a client wrote it, as a path below the root.
local function tftp_path(file)
    file = file:gsub("\\", "/"):gsub("/+", "/"):gsub("^/", "")
    -- shim takes its own file's name from option 67 with the bytes that follow there.
    return (file:gsub("(%.efi)[%c\128-\255].*$", "%1"))
end

local function from_tftp(policy, request)
    local path = request.file
    if path:byte() == 47 or path:find("[\\?%c\128-\255]") or path:find("//", 1, true) then
        local question = path:match("^/?grub%?(.*)$")
        if question then
            return configs.grub(policy, request, question)
        end
        path = tftp_path(path)
    end
    local reply, log = configs.answer(policy, request, path)
    if reply then
        return reply, log
    end
    local mac
    mac, path = bootloaders.machine_of(path)
    local asset = path:match("^assets/(.+)$")
    if asset then
        return { path = asset, root = "assets" } -- a kernel for a loader that has no HTTP
    elseif path == "autoexec.ipxe" then
        return { path = path, root = "tftp" } -- every iPXE asks; no choice of the policy's
    end

    local who = machine.of_tftp(request, mac)
    local decision = engine.decide(policy, who)
    local alias = decision.files and decision.files[path]
    if alias == nil and (path == "boot.ipxe" or path == "boot.ipxe.0") then
        return { body = ipxe.ask(request.base), status = 200 }
    elseif decision.verdict == "deny" then
        return { error = outcome.why(decision), reason = "denied" }, outcome.info(who, decision, "tftp")
    elseif alias == false then
        return { error = "denied: " .. path, reason = "denied" }, outcome.info(who, decision, "tftp")
    end
    local known = mac or alias or decision.error
    return { path = alias or path, root = "tftp" }, known and outcome.info(who, decision, "tftp") or nil
end

local function is_ipxe(request)
    return request.user_agent ~= nil and find(request.user_agent, "iPXE/", 1, true) == 1
end

-- A request that cannot be answered. iPXE runs no body of a failed request, so it gets
-- a script that says why and tries again.
local function refuse(request, message)
    if is_ipxe(request) then
        return { body = ipxe.failure(message, request.base), status = 200 }
    end
    return { body = message .. "\n", status = 400 }
end

local function http_ask(_, request)
    local carried = carry.read(query.parse(request.query))
    return { body = ipxe.ask(request.base, carry.query(carry.names, carried)), status = 200 }
end

-- The fields of a machine that an HTTP client told, malformed ones included.
local function fields_of(request)
    local fields, all = told.fields(request.query, request)
    fields.firmware = is_ipxe(request) and "ipxe" or nil
    return fields, all
end

local function http_ipxe(policy, request)
    local fields = fields_of(request)
    fields.firmware = "ipxe"
    local who, problem = machine.new(fields, "ipxe")
    if not who then
        return refuse(request, problem),
            { machine = fields.mac or fields.ip, verdict = "refused", stage = "ipxe", error = problem }
    end
    local script, decision = outcome.settle(engine.decide(policy, who), function(decision)
        return ipxe.render(decision, request.base, who)
    end)
    return { body = script, status = 200 }, outcome.info(who, decision, "ipxe")
end

local function http_grub(policy, request)
    if not request.query or request.query == "" then
        return { body = grub.ask(request), status = 200 }
    end
    return configs.grub(policy, request, request.query)
end

-- A document, for the machine of the query or of the identity before its name. What it boots
-- is decided as at /ipxe, and says which documents it has.
local function http_config(policy, request, path)
    local segment, rest = path:match("^(~[^/]*)/(.*)$")
    local name = rest or path
    local fields = told.fields(not segment and request.query or nil, request)
    fields.firmware, fields.stage = "ipxe", "ipxe"
    local known, entry
    if segment then
        known, entry = identity.read(segment)
    end
    for key, value in pairs(known or {}) do
        fields[key] = value
    end
    local function refused(reason)
        return { machine = fields.mac or fields.ip, verdict = "refused", stage = "config", error = reason }
    end
    local problem = token.problem(segment, "config", name, request.client)
    if problem then
        return token.refusal(), refused(("%s asked for %s: %s"):format(request.client or "?", name, problem))
    end
    local who
    who, problem = machine.new(fields, fields.stage)
    if not who then
        return { body = problem .. "\n", status = 400 }, refused(problem)
    end
    local decision = engine.decide(policy, who)
    if decision.verdict == "deny" then
        return { error = outcome.why(decision), reason = "denied" }, outcome.info(who, decision, "config")
    end
    local text, detail, once = decision:document(name, entry)
    local log = outcome.info(who, decision, "config")
    log.verdict = (text and "document " or "no document ") .. name
    local unused, at_fault
    if text and once and host.token then
        unused, at_fault = spent.problem(policy.state.store, segment, name, request)
    end
    if unused and not at_fault then
        return token.refusal(), refused(("%s asked for %s: %s"):format(request.client or "?", name, unused))
    elseif unused then
        log.error = unused
        return { error = "it cannot be remembered that " .. name .. " was given: see the log", reason = "failed" }, log
    elseif text then
        return { body = text, type = detail, status = 200 }, log
    elseif detail then
        log.error = detail
        return { error = "the policy failed to write " .. name .. ": see the log", reason = "failed" }, log
    end
    return { error = "this machine has no document " .. name, reason = "not-found" }, log
end

local PATHS = {
    ["/boot.ipxe"] = http_ask,
    ["/boot.ipxe.0"] = http_ask,
    ["/ipxe"] = http_ipxe,
    ["/grub"] = http_grub,
}

-- A path of the policy's own. What is malformed in the query is no field of the machine.
local function http_serve(route, params, policy, request)
    local fields, all = fields_of(request)
    local who = machine.lenient(fields, fields.firmware or "http")
    local reply, problem, emitted = serve.answer(policy, route, {
        method = request.method, path = request.path, params = params, query = all,
        raw_query = request.query or "", host = request.host, user_agent = request.user_agent,
        body = request.body,
        base = request.base, client = request.client, machine = machine.view(who),
    })
    if reply and #emitted > 0 then
        local ok
        ok, problem = events.take_in(policy, emitted)
        reply = ok and reply
    end
    local log = { machine = machine.name(who), who = who, rule = route.name, stage = "serve" }
    if reply then
        log.verdict = reply.path and "asset " .. reply.path or tostring(reply.status or 404)
        return reply, log
    end
    log.verdict, log.error = "500", problem
    return { error = "the policy failed: see the log", reason = "failed" }, log
end

local function from_http(policy, request)
    if request.admin then
        return machines.answer(policy, request)
    end
    local served, params = serve.find(policy.routes, request.path)
    if served then
        return http_serve(served, params, policy, request)
    end
    local route = PATHS[request.path]
    if route then
        return route(policy, request)
    end
    local document = request.path:match("^/config/(.+)$")
    if document then
        return http_config(policy, request, document)
    end
    local event = request.path:match("^/event/(.*)$")
    if event then
        return posted.answer(policy, request, event)
    end
    local asset = request.path:match("^/assets/(.+)$")
    if asset then
        return { path = asset, root = "assets" }
    end
    local address = request.path:match("^/v1/boot/([^/]+)$")
    if address then
        return configs.pixiecore(policy, request, address)
    end
    local reply, log = configs.answer(policy, request, request.path:sub(2), request.query)
    if reply then
        return reply, log
    end
    local file = request.path:match("^/([%w_-]+%.c32)$") or request.path:match("^/(pxelinux%.cfg/[^/]+)$")
    if file then
        return { path = file, root = "tftp" } -- what lpxelinux.0 would fetch by TFTP
    end
    return { error = "no such page: " .. request.path, reason = "not-found" }
end

local PROTOCOLS = { dhcp = from_dhcp, tftp = from_tftp, http = from_http, control = controlled.answer }

-- request -> reply, info; reply nil is silence, info nil means that nothing was decided.
function routes.handle(policy, request)
    policy.base, policy.client = request.base, request.client
    local reply, info = PROTOCOLS[request.protocol](policy, request)
    if reply and policy.seen then
        stages.see(policy.seen, request, reply, info)
    end
    return reply, info
end

return routes
