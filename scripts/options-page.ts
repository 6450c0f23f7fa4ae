import type { TObject, TSchema } from '@sinclair/typebox'
import { packageRoot } from '../lib/package-root.js'
import { LlmOptions, OptionsSchema, SpeechOptions } from '../lib/options.js'

const HEAD = `# Options

What an application passes to \`app.register(dramatis, options)\`, and the standalone server makes of its environment (the README
names the variables). Everything has a default. A wrong value is refused when the plugin is registered, with one line that names
the option. Written by \`npm run docs\` from \`lib/options.ts\`.
`

const GROUPS: [string, string, TObject][] = [
  ['', 'The plugin', OptionsSchema],
  ['characters.', '`characters`', OptionsSchema.properties.characters],
  ['llm.', '`llm`: the language model; or an engine', LlmOptions],
  ['stt.', '`stt` and `tts`: hearing and speaking; or engines', SpeechOptions],
  ['limits.', '`limits`', OptionsSchema.properties.limits],
  ['cluster.', '`cluster`', OptionsSchema.properties.cluster],
  ['metrics.', '`metrics`', OptionsSchema.properties.metrics]
]

/** docs/options.md. */
export function optionsPage (): string {
  return HEAD + GROUPS.map(([, title, schema]) => `\n## ${title}\n\n| option | type | default | meaning |\n|---|---|---|---|\n${rows(schema)}`).join('')
}

function rows (schema: TObject): string {
  return Object.entries<TSchema>(schema.properties)
    .filter(([, field]) => field.type !== 'object' || field.patternProperties !== undefined)
    .filter(([, field]) => field.type !== undefined || field.anyOf !== undefined || field.description !== undefined)
    .map(([name, field]) => `| \`${name}\` | ${typeOf(field)} | ${defaultOf(field)} | ${(field.description ?? '').replaceAll('|', '\\|')} |\n`).join('')
}

function typeOf (field: TSchema): string {
  if (field.anyOf !== undefined) return (field.anyOf as TSchema[]).map(one => one.const === undefined ? typeOf(one) : `\`${String(one.const)}\``).join(', ')
  if (field.type === 'array') return `list of ${typeOf(field.items)}s`
  if (field.type === 'object') return 'name to text'
  const bounds = field.minimum === undefined ? '' : field.maximum === undefined ? ` from ${field.minimum}` : ` ${field.minimum} to ${field.maximum}`
  return ({ string: 'text', boolean: 'true, false' }[field.type as string] ?? field.type ?? 'anything') + bounds
}

function defaultOf ({ default: value }: TSchema): string {
  if (value === undefined) return ''
  // The packaged cast is somewhere else on each machine.
  if (typeof value === 'string' && value.startsWith(packageRoot)) return 'the packaged cast'
  return `\`${JSON.stringify(value)}\``
}
