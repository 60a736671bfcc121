-- `moonboot repl`: a prompt. A line is a machine, and the answer what it boots.

local complete = require "cli.complete"
local engine = require "engine"
local explain = require "explain"
local explain_text = require "cli.explain_text"
local live = require "cli.live"
local options = require "cli.options"
local policy_file = require "cli.policy_file"
local problems = require "problems"
local show = require "cli.show"
local subject = require "cli.subject"

local HELP = [[
Usage: moonboot repl [-c SITE.YAML] [POLICY]
Asks for machines, and says what the policy decides for each. It is named as for
`moonboot eval`; without one it is that of the site.yaml here, else of
/etc/moonboot/site.yaml. Lines are read from standard input, and edited on a terminal.

  -c, --config FILE        the policy that this site.yaml names
]] .. live.help .. [[
  -h, --help               print this

Exit codes: 0, or 1 when the input was no terminal and a line could not be answered; 2 bad
usage.
]]

local LINES = [[
mac=52:54:00:12:34:56 arch=efi-x64    a machine, by its fields: what does it boot?
  label.row=b product="Rack 12"       labels; a value with spaces in it
  stage=dhcp                          what is known when: dhcp, tftp, ipxe …
+vlan=7                               the last machine, with one more field (+vlan= : without)
:explain [MACHINE]                    why: every rule, and what it wants
:render FORMAT,… [MACHINE]            what it is sent: dhcp, ipxe, grub, pxelinux, pixiecore, config/NAME
:machine FILE[:N]                     the machine of an object of JSON, or a line of the decision log
:rules                                the rules, in order
:reload                               read the policy again
:help                                 this
:quit                                 leave, as does the end of the input
A command without a machine means the last one.
]]

local OPTIONS = {
    ["--config"] = "value", ["-c"] = "value", ["--network"] = "flag", ["--help"] = "flag", ["-h"] = "flag",
}

local function usage(problem)
    host.cli.warn("moonboot repl: " .. problem .. "\nTry: moonboot repl --help\n")
    return 2
end

local Repl = {}
Repl.__index = Repl

-- The line's words: KEY=VALUE, where VALUE may be in double quotes | nil, problem.
local function words_of(text)
    local words, at = {}, 1
    while true do
        at = text:find("%S", at)
        if not at then
            return words
        end
        local word = ""
        while at <= #text and not text:find("^%s", at) do
            if text:sub(at, at) == '"' then
                local close = at + 1
                while close <= #text and text:sub(close, close) ~= '"' do
                    close = close + (text:sub(close, close) == "\\" and 2 or 1)
                end
                if close > #text then
                    return nil, "a quote is not closed"
                end
                word = word .. text:sub(at + 1, close - 1):gsub("\\(.)", "%1")
                at = close + 1
            else
                local plain = text:match('^[^%s"]+', at)
                word, at = word .. plain, at + #plain
            end
        end
        words[#words + 1] = word
    end
end

-- The fields of a machine, as it is typed | nil, problem. Nothing, or words that begin with "+":
-- the last machine, or that one changed.
function Repl:fields(text)
    local words, problem = words_of(text)
    if not words then
        return nil, problem
    end
    local fields = {}
    if #words == 0 or words[1]:sub(1, 1) == "+" then
        for name, value in pairs(self.last or {}) do
            fields[name] = value
        end
        if not self.last then
            return nil, "which machine? Type one, such as mac=52:54:00:12:34:56 arch=efi-x64"
        end
    end
    for _, word in ipairs(words) do
        local name, value = word:match "^%+?([^=]+)=(.*)$"
        if not name then
            return nil, ("found %s, expected FIELD=VALUE, or a command such as :help"):format(problems.show(word))
        end
        name = name:gsub("^(%a+)%-", "%1_")
        fields[name] = value ~= "" and value or nil
    end
    return fields
end

-- The machine that is typed becomes the last one -> machine | nil, problem.
function Repl:machine(text)
    local fields, problem = self:fields(text)
    local m
    if fields then
        m, problem = subject.new(fields)
    end
    if not m then
        return nil, problem
    elseif not self.policy then
        return nil, "there is no policy: mend it, and :reload"
    end
    self.last = fields
    return m
end

function Repl:load()
    local policy, problem = policy_file.load(self.site or self.name, self.site ~= nil)
    if not policy then
        return nil, problem .. (self.policy and "\nthe policy of before stays" or "")
    end
    self.policy, self.known = policy, nil
    return true
end

local commands = {}

function commands.explain(self, rest)
    local m, problem = self:machine(rest)
    if not m then
        return problem
    end
    local decision, steps = live.run(self.network, explain.decide, self.policy, m, host.cli.clock)
    explain_text.write(m, show.describe(self.policy, m, decision, {}, self), steps, false)
end

function commands.render(self, rest)
    local names, others = rest:match "^(%S+)%s*(.*)$"
    if not names then
        return "which format? " .. table.concat(show.format_names(), ", ") .. ", config/NAME"
    end
    local formats, problem = show.formats(names)
    local m
    if formats then
        m, problem = self:machine(others)
    end
    if not m then
        return problem
    end
    local about = show.describe(self.policy, m, live.run(self.network, engine.decide, self.policy, m), formats, self)
    show.write_renderings(about, formats)
    return about.error
end

function commands.machine(self, rest)
    local fields, problem = subject.read(rest)
    if not fields then
        return problem
    end
    for label, value in pairs(fields.label) do
        fields["label." .. label] = value
    end
    fields.label = nil
    self.last = fields
    return self:decide ""
end

function commands.rules(self)
    for i, rule in ipairs(self.policy and self.policy.rules or {}) do
        local wants = {}
        for n, p in ipairs(rule.predicates) do
            wants[n] = p.name .. ": " .. p.matcher.describe
        end
        if rule.matches then
            wants[#wants + 1] = "a function"
        end
        host.cli.write(("%4d  %s:%d, %s%s\n"):format(i, rule.display, rule.line, problems.show(rule.name),
            #wants > 0 and "  (" .. table.concat(wants, "; ") .. ")" or ""))
    end
end

function commands.reload(self)
    local good, problem = self:load()
    if not good then
        return problem
    end
    host.cli.write(("%s: %d rules\n"):format(self.name, #self.policy.rules))
end

function commands.help()
    host.cli.write(LINES)
end

function commands.quit(self)
    self.over = true
end

function Repl:decide(text)
    local m, problem = self:machine(text)
    if not m then
        return problem
    end
    local decision = live.run(self.network, engine.decide, self.policy, m)
    show.write(show.describe(self.policy, m, decision, {}, self))
end

-- Answers one line -> what is wrong, or nil.
function Repl:line(text)
    local name, rest = text:match "^%s*:(%S*)%s*(.-)%s*$"
    if name == nil then
        return text:find "%S" and self:decide(text) or nil
    elseif not commands[name] then
        return ("there is no command :%s%s"):format(name, problems.hint(name, commands))
    end
    return commands[name](self, rest)
end

function Repl:complete(before)
    local names = {}
    for name in pairs(commands) do
        names[#names + 1] = ":" .. name
    end
    self.known = self.known or complete.of(self.policy)
    return complete.line(self.known, names, before)
end

-- The policy's file, by the command line | nil, what is wrong and the exit code.
local function policy_name(config, operand)
    if operand then
        return operand
    end
    local site, found = host.cli.site(config or host.cli.site_name())
    if not site then
        return nil, table.concat(found, "\n"), 1
    end
    return site.policy, not site.policy and ("nothing has been fetched from %s yet"):format(site.fetched_from)
end

return function(args)
    local values, operands = options.parse(args, OPTIONS)
    if not values then
        return usage(operands)
    elseif values["--help"] or values["-h"] then
        host.cli.write(HELP)
        return 0
    end
    local config = values["--config"] or values["-c"]
    if #operands > 1 or config and #operands > 0 then
        return usage("name one policy, or a site.yaml")
    end
    local name, problem = policy_name(config, operands[1])
    if not name then
        host.cli.warn(problem .. "\n")
        return 1
    end
    local self = setmetatable({ name = name, network = values["--network"] }, Repl)
    self.site = #operands == 0 and (config or host.cli.site_name()) or nil
    local read = host.cli.editor(function(before)
        return self:complete(before)
    end)
    local good
    good, problem = self:load()
    if read and good then
        host.cli.write(("%s: %d rules. Type a machine, such as mac=52:54:00:12:34:56 arch=efi-x64, or :help\n"):format(
            name, #self.policy.rules))
    elseif not good then
        host.cli.warn(problem .. "\n")
    end
    local next_line = read or host.cli.each_line "-"
    local failed = not good
    while not self.over do
        local text = next_line("moonboot> ")
        if not text then
            break
        end
        problem = self:line(text)
        if problem then
            failed = true
            host.cli.warn(problem .. "\n")
        end
    end
    if read and not self.over then
        host.cli.write "\n"
    end
    return failed and not read and 1 or 0
end
