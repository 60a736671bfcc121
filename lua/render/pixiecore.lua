-- The answer of Pixiecore's API (its README.api.md): what a machine boots, as JSON.
--
-- Its command line is a template of Go's, in which {{ begins an action.

local cmdline = require "render.cmdline"
local json = require "json"
local url = require "url"

local pixiecore = {}

-- JSON for a decision whose texts are filled in; "" for a machine that Pixiecore is to leave alone;
-- nil and why there is no way to write it.
function pixiecore.render(decision, base)
    if decision.verdict == "chain" then
        return json.encode {
            ["ipxe-script"] = "#!ipxe\nchain --replace --autofree " .. url.resolve(base, decision.url) .. "\n",
        } .. "\n"
    elseif decision.verdict ~= "boot" then
        return ""
    end
    local unfit = cmdline.unfit(decision, "Pixiecore")
    if unfit then
        return nil, unfit
    end
    local line, problem = cmdline.line(decision.args)
    if not line then
        return nil, problem
    end
    local initrd = {}
    for i, name in ipairs(decision.initrd) do
        initrd[i] = url.resolve(base, name)
    end
    return json.encode {
        kernel = url.resolve(base, decision.kernel),
        initrd = initrd[1] and initrd or nil,
        cmdline = line:gsub("{{", '{{"{{"}}'),
        message = decision.profile.name and "moonboot: booting " .. decision.profile.name or nil,
    } .. "\n"
end

return pixiecore
