-- Ranks that ended while pending, by how they ended: tags whose number is 10 x the exit code + the state's place. Needs
-- tags, jobs.
local STATES = {}
for state, place in pairs(WORSE) do STATES[place] = state end

local function end_number(state, code) return 10 * code + WORSE[state] end

-- State and exit code of a number.
local function end_of(number) return STATES[number % 10], math.floor(number / 10) end

-- The tags of a submission, from its field. It is not written where all of it ended so at once: of a plain job, and where
-- many submissions were cancelled together.
local function unrun_of(job, text)
  if text and text ~= '' then return to_tags(text) end
  if job.gone == 0 or job.gone < job.count then return {} end
  return { { { 0, job.count - 1 }, end_number(job.state, job.code) } }
end
