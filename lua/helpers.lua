-- What an expression in {{…}} or a template can call: helpers, and the sandbox's basics.

local documents = require "documents"
local escape = require "escape"
local identity = require "identity"
local posted = require "posted"
local problems = require "problems"
local sandbox = require "sandbox"
local token = require "token"
local url = require "url"

local helpers = {}

-- `config "user-data"`: the URL of a document for the machine at hand. With a "/" at the end,
-- what the URLs of all documents beneath that name begin with.
local function config(scope)
    return function(name)
        local problem = documents.problem(scope.documents or {}, name)
        if problem then
            error("config: " .. problem, 0)
        end
        local m = scope.machine
        name = name == "/" and "" or name
        local who, once = identity.write(m, scope.carried, scope.entry), documents.once(scope.documents, name)
        return ("%s/config/%s/%s"):format(m.base or "", token.add(who, "config", name, m.client, once), name)
    end
end

-- `assets "el9/repo"`: the URL of what is under /assets/; an absolute URL stays as it is.
local function assets(scope)
    return function(name)
        if type(name) ~= "string" then
            error(string.format("assets: found %s, expected the name of a file", problems.show(name)), 0)
        end
        return url.resolve(scope.machine.base or "", name)
    end
end

-- `event "installed"`: the URL where it is POSTed that this has happened to the machine at hand.
local function event(scope)
    return function(name, once)
        local address, problem = posted.url(scope.machine, scope.onces, name, once)
        if not address then
            error(string.format("event: found %s, %s", problems.show(name), problem), 0)
        end
        return address
    end
end

-- By name, for a scope (interpolate.lua), whose machine and documents they are about.
function helpers.of(scope)
    local basics = sandbox.basics()
    for name, helper in pairs(escape) do
        basics[name] = sandbox.placed(helper)
    end
    basics.config = sandbox.placed(config(scope))
    basics.assets = sandbox.placed(assets(scope))
    basics.event = sandbox.placed(event(scope))
    return basics
end

return helpers
