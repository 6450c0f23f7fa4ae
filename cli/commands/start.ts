import { defineCommand, UsageError } from '../command.js'

const variables = { host: 'HOST', port: 'PORT', characters: 'CHARACTERS_DIR', character: 'DEFAULT_CHARACTER', llm: 'LLM_BASE_URL', model: 'LLM_MODEL', log: 'LOG_LEVEL' } as const

export const command = defineCommand({
  help: `Runs the server.

  dramatis start [options]

  --port PORT        where it listens (PORT, default 8000; 0: any that is free)
  --host HOST        address it listens on (HOST, default 127.0.0.1)
  --characters DIR   the default cast (CHARACTERS_DIR)
  --character NAME   who speaks at first (DEFAULT_CHARACTER)
  --llm URL          a server of the OpenAI chat API (LLM_BASE_URL)
  --model NAME       its model (LLM_MODEL)
  --log LEVEL        fatal, error, warn, info, debug, trace or silent (LOG_LEVEL)
  --json             one line of JSON, once it listens, in place of two for people

Everything else is set by the environment: see the README. An option goes before its variable.
`,
  options: {
    host: { type: 'string' },
    port: { type: 'string' },
    characters: { type: 'string' },
    character: { type: 'string' },
    llm: { type: 'string' },
    model: { type: 'string' },
    log: { type: 'string' },
    json: { type: 'boolean', default: false }
  },

  async run (values, positionals) {
    if (positionals.length > 0) throw new UsageError(`start takes no '${positionals[0]}'.`)
    for (const [option, variable] of Object.entries(variables)) {
      const value = values[option as keyof typeof variables]
      if (value !== undefined) process.env[variable] = value
    }
    const { startServer } = await import('../../server.js')
    return await startServer({ json: values.json })
  }
})
