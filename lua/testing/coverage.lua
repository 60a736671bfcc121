-- What of policies and templates ran while they were tested: lines, rules that decided, documents
-- that were rendered.
--
-- What is known is plain data, so that processes can send it:
--   files      by name: { lines = list of those that can run, counts = how often each did, text }
--   rules      by place and name: { file, line, name, hits }
--   documents  by owner and name: { owner = 'profile "x"', name, hits }

local decision = require "decision"
local engine = require "engine"
local path = require "path"

local host = host

local coverage = {}

local Coverage = {}
Coverage.__index = Coverage

local function key_of(rule)
    return ("%s:%d:%s"):format(rule.display, rule.line, rule.name)
end

-- Notes the lines of each chunk that is loaded from now on, and what decides and is rendered.
local function observe(self)
    local load, decide = host.load, engine.decide
    function host.load(text, chunk, env)
        local call, message = load(text, chunk, env)
        if call then
            self:chunk(text, chunk)
        end
        return call, message
    end
    function engine.decide(...)
        local decided = decide(...)
        if decided.rule and decided.verdict ~= "undetermined" and not self.own[decided.rule.display] then
            local key = key_of(decided.rule)
            self.decided[key] = (self.decided[key] or 0) + 1
        end
        return decided
    end
    function decision.observe(document)
        self.rendered[document] = (self.rendered[document] or 0) + 1
    end
    return function()
        host.load, engine.decide, decision.observe = load, decide, nil
    end
end

-- Begins to count. `tests`: the test files, which are not counted.
function coverage.start(tests)
    local self = setmetatable({
        chunks = {}, hits = host.cli.cover(true), decided = {}, rendered = {}, rules = {}, documents = {}, texts = {},
        tests = {}, seen = {},
        own = {}, -- what was counted of files that the test at hand has in other words
    }, Coverage)
    for _, name in ipairs(tests) do
        self.tests[name] = true
    end
    self.restore = observe(self)
    return self
end

-- A chunk of text was loaded under that name.
function Coverage:chunk(text, chunk)
    local name = chunk:gsub("^@", "")
    if self.tests[name] or self.own[name] then
        return
    end
    local lines = self.chunks[name] or {}
    self.chunks[name] = lines
    local expression = text:match "^(\n*)return %([^\n]*\n%)$"
    if expression then -- of a text with {{…}}: there may be many
        lines[#expression + 1] = true
        return
    end
    self.seen[name] = self.seen[name] or {}
    if not self.seen[name][text] then
        self.seen[name][text] = true
        for _, line in ipairs(host.cli.lines(text, chunk) or {}) do
            lines[line] = true
        end
    end
end

local function copy(hits)
    local same = {}
    for line, count in pairs(hits or {}) do
        same[line] = count
    end
    return same
end

-- What ran of code that a test had in place of the policy's own is not counted as the policy's.
local function forget_own(self)
    for name, hits in pairs(self.own) do
        self.hits[name] = hits
    end
    self.own = {}
end

-- A test begins. `files`: those of its own.
function Coverage:begin(suite, files)
    forget_own(self)
    for name in pairs(files or {}) do
        local display = path.join(suite.directory, name)
        if name:find "%.lua$" or self.chunks[display] then
            self.own[display] = copy(self.hits[display])
        end
    end
end

local function add_documents(self, owner, config)
    for name, document in pairs(config or {}) do
        local key = owner .. "\0" .. name
        self.documents[key] = self.documents[key] or { owner = owner, name = name, of = {} }
        self.documents[key].of[document] = true
    end
end

-- A suite's own policy was loaded.
function Coverage:loaded(policy)
    for _, file in ipairs(policy.files) do
        if not file.name:find "/$" then
            self.texts[file.name] = file.text
        end
    end
    for name, profile in pairs(policy.profiles) do
        add_documents(self, ('%s: profile "%s"'):format(policy.display, name), profile.config)
    end
    for _, rule in ipairs(policy.rules) do
        self.rules[key_of(rule)] = { file = rule.display, line = rule.line, name = rule.name }
        add_documents(self, ('%s:%d: rule "%s"'):format(rule.display, rule.line, rule.name), rule.config)
        local own = rule.plan and rule.plan.profile
        if own and not own.name then
            add_documents(self, ('%s:%d: rule "%s"'):format(rule.display, rule.line, rule.name), own.config)
        end
    end
end

-- What was counted, as plain data.
function Coverage:data()
    forget_own(self)
    local data = { files = {}, rules = {}, documents = {} }
    for name, lines in pairs(self.chunks) do
        local file, hits = { lines = {}, counts = {}, text = self.texts[name] }, self.hits[name] or {}
        for line in pairs(lines) do
            file.lines[#file.lines + 1] = line
        end
        table.sort(file.lines)
        for i, line in ipairs(file.lines) do
            file.counts[i] = hits[line] or 0
        end
        data.files[name] = file
    end
    for key, rule in pairs(self.rules) do
        data.rules[key] = { file = rule.file, line = rule.line, name = rule.name, hits = self.decided[key] or 0 }
    end
    for key, document in pairs(self.documents) do
        local hits = 0
        for record in pairs(document.of) do
            hits = hits + (self.rendered[record] or 0)
        end
        data.documents[key] = { owner = document.owner, name = document.name, hits = hits }
    end
    return data
end

function Coverage:stop()
    host.cli.cover(false)
    self.restore()
end

local function merge_file(into, file)
    local counts = {}
    for _, each in ipairs { into, file } do
        for i, line in ipairs(each.lines) do
            counts[line] = (counts[line] or 0) + each.counts[i]
        end
    end
    local merged = { lines = {}, counts = {}, text = into.text or file.text }
    for line in pairs(counts) do
        merged.lines[#merged.lines + 1] = line
    end
    table.sort(merged.lines)
    for i, line in ipairs(merged.lines) do
        merged.counts[i] = counts[line]
    end
    return merged
end

-- Adds what another process counted.
function coverage.merge(into, data)
    for name, file in pairs(data.files) do
        into.files[name] = into.files[name] and merge_file(into.files[name], file) or file
    end
    for _, kind in ipairs { "rules", "documents" } do
        for key, each in pairs(data[kind]) do
            local known = into[kind][key]
            if known then
                known.hits = known.hits + each.hits
            else
                into[kind][key] = each
            end
        end
    end
    return into
end

return coverage
