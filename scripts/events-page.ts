import { betaNames } from '../lib/realtime/dialects/beta.js'
import { describeEvents, type EventSchema, type JsonSchema } from '../lib/realtime/events/schema.js'
import { fieldTable, typeOf } from './field-table.js'

const HEAD = `# Events

<!-- Written by \`npm run docs\` from lib/realtime/events: change the schemas there, not this page. -->

Every event and every field, written from the schemas that the server itself checks and types its events with. The same as
JSON Schema: \`GET /v1/realtime/schema\` (see [protocol.md](protocol.md#the-schema-at-a-url)). What the server does with a
field is in [protocol.md](protocol.md), what can go wrong in [errors.md](errors.md).

Events are JSON objects, one to a text frame. Fields that are not listed are ignored when a client sends them (in a strict
server they are an error). Events marked *extension* are not of the OpenAI Realtime protocol; the server sends theirs only
as answers, so a client that does not know them never meets them.
`

/** The text of docs/events.md. */
export function eventsPage (): string {
  const { client, server, shared } = describeEvents()
  return [
    HEAD,
    '## What a client sends\n',
    indexOf(client),
    ...client.map(section),
    '## What the server sends\n',
    indexOf(server),
    ...server.map(section),
    '## Objects\n',
    ...Object.entries(shared).map(([name, schema]) => object(name, schema)),
    betaTable()
  ].join('\n')
}

function indexOf (events: EventSchema[]): string {
  const rows = events.map(({ type, extension, description }) => `| [\`${type}\`](#${anchor(type)})${extension ? ' *extension*' : ''} | ${description} |`)
  return `| event | what |\n|---|---|\n${rows.join('\n')}\n`
}

function section ({ type, extension, description, schema }: EventSchema): string {
  return `### ${type}\n\n${extension ? '*Extension.* ' : ''}${description}\n\n${fieldTable(schema)}`
}

function object (name: string, schema: JsonSchema): string {
  const body = schema.properties === undefined ? `${typeOf(schema)}.\n` : fieldTable(schema)
  return `### ${name} object\n\n${body}`
}

/** Names that only clients of the retired beta meet. */
function betaTable (): string {
  return `## Names of the beta

A client that asks for the retired beta (header \`OpenAI-Beta: realtime=v1\`, or the subprotocol \`openai-beta.realtime-v1\`) meets
these names instead. They are translated at the edge; no schema has them.

| GA | beta |
|---|---|
${Object.entries(betaNames).map(([ga, beta]) => `| \`${ga}\` | \`${beta}\` |`).join('\n')}
| \`conversation.item.done\` | not sent |
| \`session.created\` | \`session.created\`, then \`conversation.created\`; of a transcription session \`transcription_session.created\` |
| \`session.updated\` of a transcription session | \`transcription_session.updated\` |
| \`session.update\` of a transcription session | \`transcription_session.update\` |
`
}

/** As renderers of Markdown make one of a heading. */
function anchor (heading: string): string {
  return heading.toLowerCase().replaceAll(/[^a-z0-9_ -]/g, '').replaceAll(' ', '-')
}
