-- What `moonboot replay` says of a message and of what policies make of it: { info = (routes.lua),
-- reply =, answer = what is sent (core/cli_capture.h), why = it is no request for a policy }.

local answers = {}

-- Bytes of the wire, for people.
local function printable(text)
    return (text:gsub("[%c\127-\255]", function(c)
        return ("\\x%02x"):format(c:byte())
    end))
end

local function canonical(value)
    if type(value) ~= "table" then
        return type(value) .. ":" .. tostring(value)
    end
    local parts = {}
    for key, each in pairs(value) do
        parts[#parts + 1] = tostring(key) .. "=" .. canonical(each)
    end
    table.sort(parts)
    return "{" .. table.concat(parts, "\1") .. "}"
end

-- Whether two policies come to the same: by whatever rule.
function answers.same(a, b)
    local left, right = a.info or {}, b.info or {}
    return left.verdict == right.verdict and left.profile == right.profile
           and canonical(a.reply) == canonical(b.reply)
end

local function who(message, made)
    return made.info and made.info.machine or message.mac or message.from:match "^(.*):"
end

local REASONS = { offer = "OFFER", ack = "ACK", oack = "OACK", data = "DATA", error = "ERROR" }

local function sent(answer)
    if answer.kind == "silence" then
        return "no answer" .. (answer.what and ": " .. answer.what or "")
    elseif answer.error and answer.what then -- iPXE is told in a script, with status 200
        return ("%d%s: %s"):format(answer.error, answer.status ~= answer.error and " for iPXE" or "", answer.what)
    elseif answer.kind == "response" then
        return ("%d, %d bytes%s"):format(answer.status, answer.length, answer.what and " of " .. answer.what or "")
    elseif answer.kind == "error" then
        return ("ERROR %d: %s"):format(answer.status, answer.what)
    end
    return REASONS[answer.kind] .. (answer.what and " " .. answer.what or "")
end

-- What was decided, by what; "" when nothing was.
local function decided(made)
    local info = made.info or {}
    if made.why then
        return made.why
    elseif not info.verdict then
        return info.error or "nothing to decide"
    end
    local text = info.verdict .. (info.rule and (' (rule "%s")'):format(info.rule) or "")
    return info.error and text .. ": " .. info.error or text
end

local function clock(time)
    local whole = math.floor(time)
    local rest = whole % 86400
    return ("%02d:%02d:%02d.%06d"):format(rest / 3600, rest / 60 % 60, rest % 60,
                                          math.min(math.floor((time - whole) * 1e6 + 0.5), 999999))
end

function answers.text(message, made)
    local head = ("%s #%-4d %-17s %s"):format(clock(message.time), message.frame, who(message, made[1]),
                                              printable(message.asked))
    if not made[2] then
        return ("%s\n    %s -> %s\n"):format(head, printable(decided(made[1])), printable(sent(made[1].answer)))
    end
    local lines = { head }
    for i, sign in ipairs { "-", "+" } do
        lines[#lines + 1] = ("  %s %s -> %s"):format(sign, printable(decided(made[i])),
                                                    printable(sent(made[i].answer)))
    end
    return table.concat(lines, "\n") .. "\n"
end

local function side(made)
    local info = made.info or {}
    local answer = {}
    for key, value in pairs(made.answer) do
        answer[key] = type(value) == "string" and printable(value) or value
    end
    return {
        rule = info.rule, verdict = info.verdict and printable(info.verdict), profile = info.profile,
        stage = info.stage, error = info.error and printable(info.error),
        why = made.why or not info.verdict and answer.error and answer.what or nil, answer = answer,
    }
end

-- The same as data: of two sides, `old` and `new`.
function answers.data(message, made)
    local data = made[2] and { old = side(made[1]), new = side(made[2]) } or side(made[1])
    data.frame, data.time, data.from, data.to = message.frame, message.time, message.from, message.to
    data.protocol, data.asked, data.machine = message.protocol, printable(message.asked), who(message, made[1])
    return data
end

function answers.summary(count, two)
    local text = ("%d request%s"):format(count.requests, count.requests == 1 and "" or "s")
    if two then
        return ("%s, %d decided or answered otherwise\n"):format(text, count.differ)
    end
    return ("%s, %d answered%s\n"):format(text, count.answered,
                                          count.failed > 0 and (", %d failed"):format(count.failed) or "")
end

local OVER = {
    { "fragments", "%d IP fragments were passed over" }, { "malformed", "%d frames are cut short or malformed" },
    { "lost", "%d HTTP streams have holes, or no request in them" },
}

-- What is worth a word of what was passed over.
function answers.passed_over(counts)
    local lines = {}
    for _, each in ipairs(OVER) do
        if counts[each[1]] > 0 then
            lines[#lines + 1] = each[2]:format(counts[each[1]])
        end
    end
    for _, each in ipairs(counts.elsewhere) do
        lines[#lines + 1] = ("%d request%s by HTTP on port %d passed over: --http-port %d takes them"):format(
            each.requests, each.requests == 1 and "" or "s", each.port, each.port)
    end
    return lines
end

return answers
