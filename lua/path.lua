-- Paths of the command line: what a policy reads is beneath the directory it is in.

local path = {}

-- "sites/a/policy.lua" -> "sites/a", "policy.lua".
function path.split(text)
    local directory, file = text:match("^(.*)/([^/]+)$")
    if not directory then
        return ".", text
    end
    return directory == "" and "/" or directory, file
end

-- As a person would write it.
function path.join(directory, file)
    if directory == "." then
        return file
    end
    return (directory == "/" and "" or directory) .. "/" .. file
end

return path
