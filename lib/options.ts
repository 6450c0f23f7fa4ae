import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { Store } from './cluster/store.js'
import type { LlmEngine, SttEngine, TtsEngine, VadEngine } from './engines/engine.js'
import { packagedCharacters } from './package-root.js'

// Every option with its default and unit. The environment (lib/environment.ts) sets the same ones.

const Text = Type.String({ minLength: 1 })
const Seconds = (options: { default: number, minimum?: number, description: string }) =>
  Type.Number({ minimum: 0, maximum: 2_000_000, ...options })

const Remote = {
  baseUrl: Type.Optional(Type.String({ pattern: '^https?://', description: 'Up to and with `/v1`.' })),
  apiKey: Type.Optional(Text),
  model: Type.Optional(Text)
}

const Milliseconds = (description: string) => Type.Optional(Type.Integer({ minimum: 100, maximum: 600_000, description }))

/** How an engine that is configured here is guarded; an engine given as an object says so in its `policy`. */
const Guarded = {
  connectTimeoutMs: Milliseconds('Milliseconds to connect, where it is reached over a network. Default 5000.'),
  firstResultTimeoutMs: Milliseconds('Milliseconds that the first result may take once it is owed. Default 60000 for `llm`, 30000 for `stt` and `tts`.'),
  stallTimeoutMs: Milliseconds('Milliseconds between two results. Default 15000.'),
  retries: Type.Optional(Type.Integer({ minimum: 0, maximum: 10, description: 'How often a request is sent again that failed before its first result. Default 1.' })),
  breakerFaults: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000, description: 'Requests that fail one after another until the engine is left alone; 0 is never. Default 5.' })),
  breakerSeconds: Type.Optional(Type.Number({ minimum: 0.1, maximum: 3600, description: 'Seconds that such a row lasts at least, and that the engine is then left alone. Default 5.' })),
  fallback: Type.Optional(Type.Unknown({ description: 'Options of an engine, or an engine, that is asked when this one failed before its first result.' }))
}

export const LlmOptions = Type.Object({
  engine: Type.Optional(Type.Union([Type.Literal('demo'), Type.Literal('openai'), Type.Literal('auto')], { description: '`openai` if `baseUrl` is given, else `demo`; `auto`: a model server on one of the usual ports of this machine, else `demo`.' })),
  ...Remote,
  ...Guarded
}, { additionalProperties: false })

export const SpeechOptions = Type.Object({
  engine: Type.Optional(Type.Union([Type.Literal('local'), Type.Literal('openai'), Type.Literal('kyutai')], { description: '`openai` if `baseUrl` is given, else `local`.' })),
  baseUrl: Type.Optional(Type.String({ pattern: '^(https?|wss?)://', description: '`openai`: up to and with `/v1`; `kyutai`: several, separated by commas, are tried in turn.' })),
  apiKey: Type.Optional(Text),
  model: Type.Optional(Type.String({ minLength: 1, description: '`local`: folder of a model to load instead of the packaged one; `openai`: its name.' })),
  ...Guarded
}, { additionalProperties: false })

type WithFallback<T, E> = Omit<T, 'fallback'> & { fallback?: T | E | undefined }
export type LlmSettings = WithFallback<Static<typeof LlmOptions>, LlmEngine>
export type SpeechSettings<E = SttEngine | TtsEngine> = WithFallback<Static<typeof SpeechOptions>, E>

export const CharacterOptions = Type.Object({
  directory: Type.String({ minLength: 1, default: packagedCharacters, description: 'The default cast; also the root `default`.' }),
  roots: Type.Record(Type.String({ pattern: '^[A-Za-z0-9_-]+$' }), Text, { default: {}, description: 'Further directories that sessions may load, by name.' }),
  publicRoots: Type.Array(Text, { default: [], description: 'Names of the roots that the sessions of every key may load, whatever `roots` the key has.' }),
  watch: Type.Boolean({ default: false, description: 'Whether an edit of a file reaches running sessions, at the end of their turn.' }),
  default: Type.Optional(Type.Union([Text, Type.Null()], { description: 'Who speaks at first; null is nobody. Default: the cast\'s first.' }))
}, { additionalProperties: false, default: {} })

export const LimitOptions = Type.Object({
  sessions: Type.Integer({ minimum: 1, default: 1000, description: 'Sessions at a time; more are refused with 503.' }),
  sessionSeconds: Seconds({ minimum: 1, default: 3600, description: 'A session\'s length.' }),
  idleSeconds: Seconds({ default: 0, description: 'Time without a client event after which a session is closed; 0 is never.' }),
  drainSeconds: Seconds({ default: 20, description: 'How long running responses may take to finish at shutdown.' }),
  uncommittedSeconds: Seconds({ minimum: 1, default: 300, description: 'Audio that may wait uncommitted in a session.' }),
  undetectedSeconds: Seconds({ minimum: 1, default: 30, description: 'Audio that may wait for voice detection in a session; over it the socket is not read until half of that was heard.' }),
  eventsPerSecond: Type.Integer({ minimum: 1, default: 10_000, description: 'Client events read from a session a second, each 4 KiB of a frame counting as one more; twice as many may come at once. Over it the socket is read more slowly, and the client told so (`rate_limit_exceeded`).' }),
  sendBytes: Type.Integer({ minimum: 64 * 1024, default: 8 * 1024 * 1024, description: 'Bytes that may wait for a client that does not read; over it the socket is closed with 1013. From 512 KiB on no more audio or text is made for it until it has read.' }),
  aheadSeconds: Seconds({ default: 0, description: 'Seconds of an answer\'s sound that may be made before they can have been played; 0 is any number.' }),
  conversationItems: Type.Integer({ minimum: 1, default: 10_000, description: 'Items of a conversation; more are refused with `conversation_full`.' }),
  conversationBytes: Type.Integer({ minimum: 1024, default: 32 * 1024 * 1024, description: 'Bytes of text and images that a client puts into a conversation; more are refused with `conversation_full`.' }),
  outOfBandResponses: Type.Integer({ minimum: 0, default: 16, description: 'Responses under way at a time in a session outside of its conversation; more are refused with `rate_limit_exceeded`.' }),
  waitingReloads: Type.Integer({ minimum: 0, default: 4, description: 'Reloads that wait for the one under way in a session; more are refused with `rate_limit_exceeded`.' }),
  reloadsPerMinute: Type.Integer({ minimum: 1, default: 600, description: 'Reloads of a session a minute, as many of them at once after a quiet one; more are refused with `too_many_reloads`.' }),
  characters: Type.Integer({ minimum: 1, default: 1000, description: 'Characters that a session may have; more are refused with `too_many_characters`.' }),
  castBytes: Type.Integer({ minimum: 1024, default: 64 * 1024 * 1024, description: 'Bytes of a session\'s cast: sources of modules with all they import, and JSON of cards; more are refused with `cast_too_large`.' }),
  castSeconds: Seconds({ minimum: 0.01, default: 30, description: 'How long loading a cast may take; then `load_timeout`.' }),
  inlineCharacters: Type.Integer({ minimum: 1, default: 64, description: 'Characters that a client may bring in one event; more are refused with `too_many_characters`.' }),
  inlineBytes: Type.Integer({ minimum: 1024, default: 1024 * 1024, description: 'Bytes of characters that a client brings in one event, as JSON; more are refused with `characters_too_large`.' }),
  instructionsLength: Type.Integer({ minimum: 1, maximum: 256_000, default: 256_000, description: 'Characters of a client\'s instructions; longer ones are refused with `string_above_max_length`.' }),
  toolsLength: Type.Integer({ minimum: 1, default: 256_000, description: 'Characters of a client\'s tools as JSON; longer ones are refused with `string_above_max_length`.' }),
  pingSeconds: Seconds({ default: 30, description: 'Time after which a silent client is asked whether it is still there; gone is who says nothing for as long again. 0 is never.' }),
  sessionsPerAddress: Type.Integer({ minimum: 0, default: 0, description: 'Sessions at a time from one address; more are refused with 429. 0 is any number.' }),
  audioHistorySeconds: Seconds({ default: 300, description: 'Recordings kept in a session for `conversation.item.retrieve`.' }),
  contextTokens: Type.Integer({ minimum: 256, default: 28_672, description: 'Tokens of instructions, tools and conversation that the model is sent, estimated at four characters each; the session\'s `truncation` says what happens over it. Set it below the context of a smaller model.' }),
  resumeSeconds: Seconds({ default: 120, description: 'How long a session may be taken up again after its connection is gone, if its client asked for that (docs/resume.md); 0: none can be.' }),
  resumeBytes: Type.Integer({ minimum: 1024, maximum: 2 * 1024 * 1024, default: 1024 * 1024, description: 'Characters of the items that are kept of such a session, as JSON; over it the oldest are left out.' }),
  resumeTotalBytes: Type.Integer({ minimum: 64 * 1024, default: 256 * 1024 * 1024, description: 'The same of all such sessions together, where they are kept in memory; over it no more are kept.' }),
  clientSecrets: Type.Integer({ minimum: 1, default: 10_000, description: 'Ephemeral keys that may be valid at a time; more are refused with 429.' }),
  clientSecretBytes: Type.Integer({ minimum: 1024, default: 64 * 1024 * 1024, description: 'Bytes of the sessions that ephemeral keys bring, together; more are refused with 429.' }),
  eventLoopLagMs: Type.Integer({ minimum: 0, maximum: 60_000, default: 200, description: 'Milliseconds that a tenth of the event loop\'s turns may be late; while it is more, new sessions are refused with 503. 0 is never.' }),
  engineLagMs: Type.Integer({ minimum: 0, maximum: 60_000, default: 1000, description: 'Milliseconds that an engine of this machine may be behind; while it is more, new sessions are refused with 503. 0 is never.' }),
  frameBytes: Type.Integer({ minimum: 1024, default: 22 * 1024 * 1024, description: 'Length of a frame; longer ones close the socket with 1009.' })
}, { additionalProperties: false, default: {} })

export const ClusterOptions = Type.Object({
  redisUrl: Type.Optional(Type.String({ pattern: '^rediss?://', description: 'Redis or Valkey in which the servers of a fleet meet; needs the package `@redis/client`. None: this process is alone, and its memory is the store.' })),
  prefix: Type.String({ pattern: '^[A-Za-z0-9._:-]{1,64}$', default: 'dramatis', description: 'What all keys of this fleet in Redis begin with.' }),
  node: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$', description: 'Name of this server, of which there may be no other in the fleet. Default: that of the machine, with digits that are new at each start.' })),
  leaseSeconds: Type.Number({ minimum: 0.5, maximum: 3600, default: 15, description: 'Seconds of silence after which a server counts as dead, and its sessions leave the directory and free their limits.' }),
  optional: Type.Boolean({ default: false, description: 'Start also while Redis cannot be reached, `degraded` and by local limits until it can.' }),
  store: Type.Optional(Type.Unknown({ description: 'A store of your own in place of Redis: an object that implements `Store`.' }))
}, { additionalProperties: false, default: {} })

export const OptionsSchema = Type.Object({
  apiKeys: Type.Array(Text, { default: [], description: 'Keys that may connect; none: everybody.' }),
  keysFile: Type.Optional(Type.String({ minLength: 1, description: 'JSON file of further keys, by name and with limits of their own; read again when it changes (docs/access.md).' })),
  queryKeys: Type.Boolean({ default: false, description: 'Take a key from the query (`?api_key=`) too. Queries end up in the logs of everything in between.' }),
  allowedHosts: Type.Optional(Type.Array(Text, { description: 'Names, without port, that the server may be reached by (`Host`); `*` is any. Default: where no key is needed and the connection comes in at a loopback address, the names of loopback; elsewhere any.' })),
  allowedOrigins: Type.Optional(Type.Array(Text, { description: 'Browser origins that may connect. Default: the same origin, and localhost on any port.' })),
  playground: Type.Union([Type.Boolean(), Text], { default: true, description: 'Serve the playground at `/` and the operator\'s page at `/admin`; a path: those of a build of one\'s own.' }),
  strict: Type.Boolean({ default: false, description: 'Refuse parameters that the protocol does not know (`unknown_parameter`), as the hosted API does.' }),
  characters: CharacterOptions,
  llm: Type.Optional(Type.Unknown()),
  stt: Type.Optional(Type.Unknown()),
  tts: Type.Optional(Type.Unknown()),
  vad: Type.Optional(Type.Unknown()),
  limits: LimitOptions,
  cluster: ClusterOptions,
  tracing: Type.Boolean({ default: false, description: 'Spans of turns and stages for OpenTelemetry, whose SDK is yours to start (docs/tracing.md).' }),
  metrics: Type.Object({
    sessionLabel: Type.Boolean({ default: false, description: 'Label the character metrics with `session_id`; removed when the session ends.' })
  }, { additionalProperties: false, default: {} })
}, { additionalProperties: false })

type Settled = Omit<Static<typeof OptionsSchema>, 'llm' | 'stt' | 'tts' | 'vad' | 'cluster'> & {
  cluster: Omit<Static<typeof ClusterOptions>, 'store'> & { store?: Store | undefined }
}
type Engines = {
  /** An engine's options, or an engine. */
  llm?: LlmSettings | LlmEngine | undefined
  stt?: SpeechSettings<SttEngine> | SttEngine | undefined
  tts?: SpeechSettings<TtsEngine> | TtsEngine | undefined
  vad?: VadEngine | undefined
}

/** Options with every default filled in. */
export type Options = Settled & Engines

/** What an embedder passes to `app.register(dramatis, options)`. Everything has a default. */
export type DramatisOptions = Engines & {
  apiKeys?: string[]
  keysFile?: string
  queryKeys?: boolean
  allowedHosts?: string[]
  allowedOrigins?: string[]
  playground?: boolean | string
  strict?: boolean
  tracing?: boolean
  characters?: Partial<Settled['characters']>
  limits?: Partial<Settled['limits']>
  cluster?: Partial<Settled['cluster']>
  metrics?: Partial<Settled['metrics']>
}

/** An option, or a variable, has a wrong value: one line for the person who set it. */
export class OptionsError extends Error {
  override readonly name = 'OptionsError'
  readonly code = 'invalid_options'
}

/** Checks options and fills in defaults. Throws an {@link OptionsError} that names the first wrong one. */
export function readOptions (given: DramatisOptions): Options {
  const options = Value.Default(OptionsSchema, Value.Clone(pickData(given))) as Options
  check(OptionsSchema, options, '')
  const { roots, publicRoots } = options.characters
  const unknown = publicRoots.find(name => name !== 'default' && !Object.hasOwn(roots, name))
  if (unknown !== undefined) throw new OptionsError(`Option 'characters.publicRoots' is wrong: there is no root '${unknown}'.`)
  checkEngine('llm', given.llm, 'generate', LlmOptions)
  checkEngine('stt', given.stt, 'transcribe', SpeechOptions)
  checkEngine('tts', given.tts, 'synthesize', SpeechOptions)
  checkEngine('vad', given.vad, 'detect', Type.Object({ detect: Type.Function([], Type.Any()) }))
  const { store } = given.cluster ?? {}
  if (store !== undefined) options.cluster.store = store
  return { ...options, llm: given.llm, stt: given.stt, tts: given.tts, vad: given.vad }
}

/** An engine is known by its method; anything else has to be an engine's options. */
function checkEngine (name: string, value: unknown, method: string, schema: TSchema): void {
  if (value === undefined) return
  const isEngine = typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[method] === 'function'
  if (isEngine) return
  check(schema, value, `/${name}`)
  const { fallback } = value as { fallback?: unknown }
  if (fallback !== undefined) checkEngine(`${name}/fallback`, fallback, method, Type.Omit(schema, ['fallback']))
}

/** Engines and stores may be objects with state: they are neither copied nor searched for defaults. */
function pickData ({ llm, stt, tts, vad, cluster, ...rest }: DramatisOptions): object {
  const data = { ...rest, cluster: cluster === undefined ? undefined : { ...cluster, store: undefined } }
  return Object.fromEntries(Object.entries(data).filter(([key, value]) => value !== undefined && key !== 'prefix' && key !== 'logLevel'))
}

function check (schema: TSchema, value: unknown, path: string): void {
  const fault = Value.Errors(schema, value).First()
  if (fault === undefined) return
  const name = (path + fault.path).split('/').slice(1).join('.')
  throw new OptionsError(`Option '${name}' is wrong: ${fault.message.toLowerCase()}, but it is ${JSON.stringify(fault.value)}.`)
}
