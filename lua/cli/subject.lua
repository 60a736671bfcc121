-- The machine that `eval`, `explain` and `repl` are asked about: by its fields, or as a file has it,
-- an object of JSON, a line of the decision log (core/decision_log.md) or a packet.

local live = require "cli.live"
local machine = require "machine"
local normalise = require "normalise"
local problems = require "problems"
local routes = require "routes"

local subject = {}

-- What the commands' help says of it.
subject.help = [[
  --FIELD VALUE            a field of the machine: mac, uuid, serial, arch, …
  --label NAME=VALUE       the machine's label.NAME; may be given more than once
  --machine FILE[:N]       the machine, as an object of JSON ("-": from standard input),
                           or line N of a decision log; fields that are given replace its
  --pcap FILE[:N]          the machine that sent frame N of a capture (pcap or pcapng), or
                           the first request in it that the policy decides
  --stage STAGE            what is known when: dhcp, tftp, http, ipxe (default), grub, pxelinux
                           or pixiecore
]]

subject.options = { ["--machine"] = "value", ["--pcap"] = "value", ["--stage"] = "value" }

-- For options.parse: takes --FIELD and --label into `fields`.
function subject.collect(fields)
    return function(name, value)
        if name == "--label" then
            local label, text = value:match "^([^=]+)=(.*)$"
            if not label then
                return "--label wants NAME=VALUE"
            end
            fields.label[label] = text
            return nil
        end
        local field = name:sub(3):gsub("-", "_")
        if name:sub(1, 2) ~= "--" or not machine.field(field) then
            return name:sub(1, 2) == "--" and machine.unknown_field(field) or "there is no option " .. name
        end
        fields[field] = value
    end
end

local function from_hex(text)
    return type(text) == "string" and text:gsub("%x%x", function(pair)
        return string.char(tonumber(pair, 16))
    end) or text
end

-- The fields of an object of JSON: bytes that are no UTF-8 are under FIELD-hex.
local function fields_of(object)
    local fields = { label = {} }
    for key, value in pairs(object) do
        local plain = type(key) == "string" and key:match "^(.*)%-hex$"
        if key == "label" or key == "label-hex" then
            if type(value) ~= "table" then
                return nil, key .. ": found " .. problems.show(value) .. ", expected an object"
            end
            for label, text in pairs(value) do
                if key == "label" then
                    fields.label[label] = text
                else
                    fields.label[from_hex(label)] = from_hex(text)
                end
            end
        elseif type(key) ~= "string" then
            return nil, "found a list, expected an object of a machine's fields"
        elseif value ~= host.json.null then
            fields[plain or key] = plain and from_hex(value) or value
        end
    end
    return fields
end

-- The text of a file, or of one line of it | nil, problem.
local function text_of(path, number)
    local lines, message = host.cli.each_line(path)
    if not lines then
        return nil, ("%s: %s"):format(path, message)
    end
    local all, n = {}, 0
    for line in lines do
        n = n + 1
        if n == number then
            return line
        elseif not number then
            all[n] = line
        end
    end
    if number then
        return nil, ("%s has %d line%s"):format(path, n, n == 1 and "" or "s")
    end
    return table.concat(all, "\n"), nil, n
end

-- What the log says was decided, for a line of it.
local function logged_of(object)
    return { time = object.time, rule = object.rule, verdict = object.verdict, error = object.error,
             policy = object.policy, cut = object.cut }
end

-- FILE[:N] -> the file's name, N or nil.
local function split(source)
    if source == "-" or host.cli.find(source) then
        return source, nil
    end
    local path, number = source:match "^(.+):(%d+)$"
    return path or source, tonumber(number)
end

-- Reads FILE[:N] -> fields, what was logged (nil: it is no line of a log) | nil, problem.
function subject.read(source)
    local path, number = split(source)
    local text, problem, lines = text_of(path, number)
    if not text then
        return nil, problem
    end
    local place = number and ("%s:%d"):format(path, number) or path == "-" and "standard input" or path
    local good, object = pcall(host.json.decode, text)
    if not good and (lines or 0) > 1 and pcall(host.json.decode, (text:match "^[^\n]*")) then
        return nil, ("%s has %d lines of JSON: name one, as in %s:1"):format(place, lines, path)
    elseif not good then
        return nil, ("%s is not JSON: %s"):format(place, (object:gsub("^.-:%d+: ", "")))
    elseif type(object) ~= "table" then
        return nil, ("%s: found %s, expected an object of a machine's fields"):format(place, problems.show(object))
    end
    local logged
    if object.time and object.policy then
        logged, object = logged_of(object), object.facts
        if type(object) ~= "table" then
            return nil, ("%s: this line of the log has no facts: the request could not be understood"):format(place)
        end
    end
    local fields
    fields, problem = fields_of(object)
    if not fields then
        return nil, ("%s: %s"):format(place, problem)
    end
    return fields, logged
end

-- The usual ports, which moonboot's own captures have.
local PORTS = { http_ports = { 80, 8080 }, http_port = 8080, dhcp_port = 67, boot_port = 4011, tftp_port = 69 }

-- The fields of the machine that the policy is asked about by a request; nil when it is not.
local function asked(policy, request, network)
    local base = policy.base
    local _, info = live.run(network, routes.handle, policy, request)
    policy.base = base
    local who = info and info.who
    if not who then
        return nil
    end
    local fields = { stage = who.stage, label = {} }
    for name in pairs(machine.names) do
        if name ~= "label" and name ~= "stage" then
            fields[name] = who[name]
        end
    end
    for label, text in pairs(who.label) do
        fields.label[label] = text
    end
    return fields
end

-- Reads FILE[:N], a capture -> fields | nil, problem.
function subject.captured(source, policy, network)
    local path, frame = split(source)
    local capture, problem = host.cli.capture(path, PORTS)
    if not capture then
        return nil, problem
    end
    local fields, message
    repeat
        message, problem = capture:next()
        if message and (not frame or message.frame == frame) then
            fields = message.request and asked(policy, message.request, network)
            if frame and not fields then
                problem = ("frame %d, %s: %s"):format(frame, message.asked, message.why or "the policy decides nothing")
                break
            end
        end
    until fields or not message
    capture:close()
    if fields then
        return fields
    end
    problem = problem or frame and ("there is no request in frame %d"):format(frame)
              or "there is no request that the policy decides"
    return nil, ("%s: %s"):format(path, problem)
end

-- A machine of these fields, of which `stage` may be one -> machine | nil, problem.
function subject.new(fields)
    local stage, expected = "ipxe", nil
    if fields.stage ~= nil then
        stage, expected = normalise.stage(fields.stage)
    end
    if expected then
        return nil, ("stage: found %s, expected %s"):format(problems.show(fields.stage), expected)
    end
    return machine.new(fields, stage)
end

-- The machine of a command line -> machine, what was logged | nil, problem. `policy` is asked which
-- machine sent a packet.
function subject.machine(given, values, policy)
    local fields, logged = given, nil
    if values["--machine"] and values["--pcap"] then
        return nil, "--machine and --pcap each name the machine"
    elseif values["--machine"] then
        fields, logged = subject.read(values["--machine"])
    elseif values["--pcap"] then
        fields, logged = subject.captured(values["--pcap"], policy, values["--network"])
    end
    if not fields then
        return nil, logged
    elseif fields ~= given then
        for name, value in pairs(given) do
            if name ~= "label" then
                fields[name] = value
            end
        end
        for label, text in pairs(given.label) do
            fields.label[label] = text
        end
    end
    fields.stage = values["--stage"] or fields.stage
    local m, problem = subject.new(fields)
    return m, not m and problem or logged
end

return subject
