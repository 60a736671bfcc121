-- The language reference is true: its policies load, and its table has every field.

local machine = require "machine"
local policies = require "policies"

local tests = {}

local function readme()
    local file = assert(io.open "lua/README.md")
    local text = file:read "*a"
    file:close()
    return text
end

-- The block of YAML that begins with this line.
local function yaml(first)
    for block in readme():gmatch "```yaml\n(.-)```" do
        if block:sub(1, #first + 1) == first .. "\n" then
            return block
        end
    end
    error("no block of YAML begins with " .. first)
end

-- The files that examples speak of are in readme/, and in the reference itself.
-- tests/e2e/language.sh checks them with the real program.
local function load(example)
    local files = { ["policy.lua"] = example, ["worker.yaml"] = yaml "#cloud-config", ["hosts.yaml"] = "mac,boot\n" }
    for _, path in ipairs { "rules/lab.lua", "lib/racks.lua", "hosts/a.json", "hosts/b.json", "seed.cfg", "worker.cfg", "racks.csv" } do
        files[path] = assert(host.read("tests/lua/readme", path))
    end
    local policy, problems = policies.load_files(files)
    assert(policy, problems and example .. table.concat(problems, "\n"))
    return policy
end

function tests.every_example_loads()
    local count = 0
    for example in readme():gmatch "```lua\n(.-)```" do
        load(example)
        count = count + 1
    end
    assert(count >= 5)
end

function tests.every_field_is_described()
    local text = readme()
    for _, field in ipairs(machine.fields) do
        local early = (field.early or ""):upper():gsub(" ", ", ")
        local row = string.format("| `%s` | %s | %s |", field.name, early, field.doc)
        assert(text:find(row, 1, true), row)
    end
    for id = 0, 41 do
        assert(text:find("`" .. machine.arch_name(id) .. "`", 1, true), machine.arch_name(id))
    end
end

function tests.the_template()
    local template = yaml "#cloud-config"
    for example in readme():gmatch "```lua\n(.-)```" do
        if example:find('template "worker.yaml"', 1, true) then
            local policy = policies.load_files { ["policy.lua"] = example, ["worker.yaml"] = template }
            local text = policies.decide(policy, { mac = "525400000001", product = "a: b" }):document "nocloud/user-data"
            assert(text == [==[
#cloud-config
hostname: "worker-525400000001"
users:
  - name: root
    ssh_authorized_keys:
      - "ssh-ed25519 AAAA… alex"
bootcmd: [[logger, "this is a: b"]]
]==], text)
            return
        end
    end
    error "no such example"
end

-- The computed rule of the reference does what it says there.
function tests.the_computed_rule()
    for example in readme():gmatch "```lua\n(.-)```" do
        if example:find('rule "computed"', 1, true) then
            local policy = load(example)
            local d = policies.decide(policy, { mac = "525400000001", vlan = 12 })
            assert(d.profile.name == "rescue" and d.args[1] == "mac=52:54:00:00:00:01")
            d = policies.decide(policy, { vlan = 13 })
            assert(d.verdict == "deny" and d.why == "try again later" and d.error)
            return
        end
    end
    error "no such example"
end

return tests
