-- A model of how PXELINUX reads a configuration (ldlinux/readconfig.c): a keyword, white space, and
-- the rest of the line; and of the command line it hands to Linux.

local model = {}

local LABELS = { linux = true, kernel = true, initrd = true, append = true, localboot = true, pxe = true, com32 = true,
                 config = true }

-- -> { default =, prompt =, timeout =, said = list, labels = { [name] = { linux = …, … } } }
function model.read(text)
    local config = { labels = {}, said = {} }
    local label
    for line in text:gmatch("([^\r\n]*)[\r\n]*") do
        assert(#line < 4096, "a line that is read as two")
        local keyword, value = line:match("^[%z\1-\32]*([^%z\1-\32]+)[%z\1-\32]*(.*)$")
        keyword = keyword and keyword:lower()
        if keyword == "label" then
            label = {}
            config.labels[value:match("^[^%z\1-\32]*")] = label
        elseif keyword and LABELS[keyword] then
            label[keyword] = value
        elseif keyword == "say" then
            table.insert(config.said, value)
        elseif keyword then
            assert(keyword == "default" or keyword == "prompt" or keyword == "timeout", "unknown keyword: " .. keyword)
            config[keyword] = value
        end
    end
    return config
end

-- What Linux is given for a label, less what PXELINUX puts around it; and its files.
function model.command_line(label)
    local append = label.append == "-" and "" or label.append
    local kernel = label.linux:match("^[^%z\1-\32]+")
    local rest = label.linux:sub(#kernel + 1)
    local files = {}
    for name in (label.initrd or ""):gmatch("[^,]+") do
        files[#files + 1] = name:match("^[^ ]*")
    end
    assert(not append:find("initrd=", 1, true), "PXELINUX would load this one")
    return rest .. append, kernel, files
end

return model
