import { isIP } from 'node:net'
import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { guardOptions, guardVariables } from './guard-environment.js'
import { OptionsError, type DramatisOptions } from './options.js'

const LOOPBACK = /^(localhost|127(\.\d+){3}|::1|\[::1\])$/

const Text = (description: string) => Type.Optional(Type.String({ description }))
const Seconds = (description: string, minimum = 0) => Type.Optional(Type.Number({ minimum, maximum: 2_000_000, description }))
const OneOf = (...values: string[]) => Type.Unsafe<string>(Type.Union(values.map(value => Type.Literal(value))))

const SpeechUrl = Type.Optional(Type.String({ pattern: '^(https?|wss?)://', description: 'openai: up to and with /v1; kyutai: several, comma-separated, are tried in turn.', expected: 'a URL that starts with http://, https://, ws:// or wss://' }))

/** Every variable the server reads. What is not set takes the option's default (lib/options.ts). */
export const Environment = Type.Object({
  HOST: Type.String({ default: '127.0.0.1', description: 'Address to listen on.' }),
  PORT: Type.Integer({ default: 8000, minimum: 0, maximum: 65535 }),
  WORKERS: Type.Integer({ default: 0, minimum: 0, maximum: 256, description: 'Session processes behind the port; 0 and 1: the server is one process.' }),
  LOG_LEVEL: Type.Unsafe<string>({ ...OneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'), default: 'info' }),
  API_KEYS: Text('Comma-separated; empty only on a loopback host.'),
  ALLOW_ANONYMOUS: Type.Optional(OneOf('true', 'false')),
  KEYS_FILE: Text('JSON file of further keys, with limits of their own (docs/access.md).'),
  KEYS_IN_QUERY: Type.Optional(OneOf('true', 'false')),
  ALLOWED_HOSTS: Text('Comma-separated names, without port, that the server may be reached by; `*` is any.'),
  TRUST_PROXY: Text('Whose forwarded addresses are believed: true, a number of hops, or comma-separated addresses.'),
  ALLOWED_ORIGINS: Text('Comma-separated origins of pages that may connect.'),
  CHARACTERS_DIR: Text('The default cast.'),
  CHARACTERS_ROOTS: Text('name=/path pairs, comma-separated.'),
  CHARACTERS_PUBLIC_ROOTS: Text('Comma-separated names of roots that every key may load.'),
  CHARACTERS_WATCH: Type.Optional(OneOf('true', 'false')),
  DEFAULT_CHARACTER: Text('Who speaks at first; none: nobody.'),
  LLM_ENGINE: Type.Optional(OneOf('demo', 'openai', 'auto')),
  LLM_BASE_URL: Type.Optional(Type.String({ pattern: '^https?://', description: 'Any server of the OpenAI chat API, up to and with /v1.', expected: 'a URL that starts with http:// or https://' })),
  LLM_API_KEY: Text('Falls back to OPENAI_API_KEY.'),
  OPENAI_API_KEY: Text('Used by the openai engines whose own key is empty.'),
  LLM_MODEL: Text('Default: the only model that the server lists.'),
  STT_ENGINE: Type.Optional(OneOf('local', 'openai', 'kyutai')),
  STT_BASE_URL: SpeechUrl,
  STT_API_KEY: Text('openai: falls back to OPENAI_API_KEY.'),
  STT_MODEL: Text('local: folder of a sherpa-onnx model; openai: name of the model.'),
  TTS_ENGINE: Type.Optional(OneOf('local', 'openai', 'kyutai')),
  TTS_BASE_URL: SpeechUrl,
  TTS_API_KEY: Text('openai: falls back to OPENAI_API_KEY.'),
  TTS_MODEL: Text('local: folder of a sherpa-onnx voice; openai: name of the model.'),
  ...guardVariables as object,
  MAX_SESSIONS: Type.Optional(Type.Integer({ minimum: 1 })),
  MAX_SESSIONS_PER_ADDRESS: Type.Optional(Type.Integer({ minimum: 0, description: 'Sessions of one address; 0 is any number.' })),
  MAX_EVENTS_PER_SECOND: Type.Optional(Type.Integer({ minimum: 1, description: 'Client events read from a session.' })),
  MAX_UNCOMMITTED_SECONDS: Seconds('Audio that may wait uncommitted in a session.', 1),
  MAX_SESSION_SECONDS: Seconds('Length of a session.', 1),
  IDLE_TIMEOUT_SECONDS: Seconds('Time without a client event; 0 is off.'),
  PING_SECONDS: Seconds('Silence after which a client is asked whether it is there; 0 is never.'),
  AHEAD_SECONDS: Seconds('Sound of an answer that may be made before it can have been played; 0 is any.'),
  DRAIN_SECONDS: Seconds('Time that running responses have at shutdown.'),
  RESUME_SECONDS: Seconds('Time in which a session may be taken up again whose connection is gone; 0: none can be.'),
  EVENT_LOOP_LAG_MS: Type.Optional(Type.Integer({ minimum: 0, maximum: 60_000, description: 'Milliseconds that the event loop may be late until new sessions are refused; 0 is off.' })),
  ENGINE_LAG_MS: Type.Optional(Type.Integer({ minimum: 0, maximum: 60_000, description: 'Milliseconds that a local engine may be behind until new sessions are refused; 0 is off.' })),
  CONTEXT_TOKENS: Type.Optional(Type.Integer({ minimum: 256, description: 'Tokens that the language model is sent at most, estimated.' })),
  REDIS_URL: Type.Optional(Type.String({ pattern: '^rediss?://', description: 'Redis or Valkey in which the servers of a fleet meet (docs/cluster.md).', expected: 'a URL that starts with redis:// or rediss://' })),
  REDIS_PREFIX: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._:-]{1,64}$', description: 'What all keys in Redis begin with.', expected: '1 to 64 letters, digits and . _ : -' })),
  REDIS_OPTIONAL: Type.Optional(OneOf('true', 'false')),
  NODE_NAME: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$', description: 'Name of this server in the fleet; with WORKERS what the names of its processes begin with.', expected: '1 to 64 letters, digits and . _ -' })),
  NODE_LEASE_SECONDS: Type.Optional(Type.Number({ minimum: 0.5, maximum: 3600, description: 'Silence after which a server of the fleet counts as dead.' })),
  TRACING: Type.Optional(OneOf('true', 'false')),
  STRICT: Type.Optional(OneOf('true', 'false')),
  METRICS_SESSION_LABEL: Type.Optional(OneOf('true', 'false')),
  TLS_CERT: Text('File of the certificate chain, PEM.'),
  TLS_KEY: Text('File of its key, PEM.')
})
type Environment = Static<typeof Environment>

export interface ServerSettings {
  host: string
  port: number
  /** Session processes; fewer than two: this process has the sessions. */
  workers: number
  logLevel: string
  tls: { cert: string, key: string } | null
  /** As Fastify takes it. */
  trustProxy: boolean | string[] | ((address: string, hop: number) => boolean)
  options: DramatisOptions
}

/** What the environment asks for. Throws an {@link OptionsError} with one line for the first wrong variable. */
export function readEnvironment (given: Record<string, string | undefined>): ServerSettings {
  // An empty variable is one that is not set: shells and containers cannot always tell.
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value.trim() !== ''))
  const values = Value.Default(Environment, Value.Clean(Environment, toNumbers(set))) as Environment
  const fault = Value.Errors(Environment, values).First()
  if (fault !== undefined) throw new OptionsError(`${fault.path.slice(1)} is wrong: ${expectation(fault.schema, fault.message)}, but it is '${String(fault.value)}'.`)

  const { HOST: host, PORT: port, WORKERS: workers, TLS_CERT: cert, TLS_KEY: key } = values
  if ((cert === undefined) !== (key === undefined)) throw new OptionsError('TLS_CERT and TLS_KEY go together: only one of them is set.')
  // Each session process appends a number of its own.
  if (workers > 1 && (values.NODE_NAME?.length ?? 0) > 60) throw new OptionsError('NODE_NAME is too long: with WORKERS it may have 60 characters.')
  const apiKeys = list(values.API_KEYS)
  if (apiKeys.length === 0 && values.KEYS_FILE === undefined && !LOOPBACK.test(host) && values.ALLOW_ANONYMOUS !== 'true') {
    throw new OptionsError(`API_KEYS is empty, and HOST ${host} can be reached from other machines: set API_KEYS or KEYS_FILE, or ALLOW_ANONYMOUS=true to let everybody in.`)
  }
  return { host, port, workers, logLevel: values.LOG_LEVEL, tls: cert === undefined ? null : { cert, key: key! }, trustProxy: trustProxy(values.TRUST_PROXY), options: toOptions(values, apiKeys) }
}

/** Numbers where the schema wants them; text that is no number stays, to be told as it was given. */
function toNumbers (set: Record<string, string | undefined>): Record<string, unknown> {
  const properties: Record<string, TSchema> = Environment.properties
  return Object.fromEntries(Object.entries(set).map(([name, value]) => {
    const isNumber = /^(integer|number)$/.test(properties[name]?.type) && /^-?\d+(\.\d+)?$/.test(value!.trim())
    return [name, isNumber ? Number(value) : value]
  }))
}

function toOptions (values: Environment, apiKeys: string[]): DramatisOptions {
  const remote = values.LLM_ENGINE === 'openai' || (values.LLM_ENGINE === undefined && values.LLM_BASE_URL !== undefined)
  return {
    apiKeys,
    ...given({ keysFile: values.KEYS_FILE }),
    queryKeys: values.KEYS_IN_QUERY === 'true',
    // Whoever lets everybody in on purpose has something in front that decides.
    ...values.ALLOWED_HOSTS !== undefined ? { allowedHosts: list(values.ALLOWED_HOSTS) } : values.ALLOW_ANONYMOUS === 'true' ? { allowedHosts: ['*'] } : {},
    ...values.ALLOWED_ORIGINS === undefined ? {} : { allowedOrigins: list(values.ALLOWED_ORIGINS) },
    characters: given({
      directory: values.CHARACTERS_DIR,
      roots: roots(values.CHARACTERS_ROOTS),
      publicRoots: values.CHARACTERS_PUBLIC_ROOTS === undefined ? undefined : list(values.CHARACTERS_PUBLIC_ROOTS),
      watch: values.CHARACTERS_WATCH === undefined ? undefined : values.CHARACTERS_WATCH === 'true',
      default: values.DEFAULT_CHARACTER === 'none' ? null : values.DEFAULT_CHARACTER
    }),
    llm: remote
      ? given({ engine: 'openai' as const, baseUrl: values.LLM_BASE_URL, apiKey: values.LLM_API_KEY ?? values.OPENAI_API_KEY, model: values.LLM_MODEL, ...guardOptions(values, 'LLM') })
      // The key of the hosted API is no business of whatever listens here.
      : values.LLM_ENGINE === 'auto'
        ? given({ engine: 'auto' as const, baseUrl: values.LLM_BASE_URL, apiKey: values.LLM_API_KEY, model: values.LLM_MODEL, ...guardOptions(values, 'LLM') })
        : { engine: 'demo' },
    stt: speech(values, 'STT'),
    tts: speech(values, 'TTS'),
    limits: given({
      sessions: values.MAX_SESSIONS,
      sessionsPerAddress: values.MAX_SESSIONS_PER_ADDRESS,
      eventsPerSecond: values.MAX_EVENTS_PER_SECOND,
      uncommittedSeconds: values.MAX_UNCOMMITTED_SECONDS,
      pingSeconds: values.PING_SECONDS,
      aheadSeconds: values.AHEAD_SECONDS,
      sessionSeconds: values.MAX_SESSION_SECONDS,
      idleSeconds: values.IDLE_TIMEOUT_SECONDS,
      drainSeconds: values.DRAIN_SECONDS,
      resumeSeconds: values.RESUME_SECONDS,
      eventLoopLagMs: values.EVENT_LOOP_LAG_MS,
      engineLagMs: values.ENGINE_LAG_MS,
      contextTokens: values.CONTEXT_TOKENS
    }),
    cluster: given({
      redisUrl: values.REDIS_URL,
      prefix: values.REDIS_PREFIX,
      optional: values.REDIS_OPTIONAL === undefined ? undefined : values.REDIS_OPTIONAL === 'true',
      node: values.NODE_NAME,
      leaseSeconds: values.NODE_LEASE_SECONDS
    }),
    strict: values.STRICT === 'true',
    tracing: values.TRACING === 'true',
    metrics: { sessionLabel: values.METRICS_SESSION_LABEL === 'true' }
  }
}

function speech (values: Environment, stage: 'STT' | 'TTS') {
  const baseUrl = values[`${stage}_BASE_URL`]
  const engine = (values[`${stage}_ENGINE`] ?? (baseUrl === undefined ? 'local' : 'openai')) as 'local' | 'openai' | 'kyutai'
  const apiKey = values[`${stage}_API_KEY`] ?? (engine === 'openai' ? values.OPENAI_API_KEY : undefined)
  return given({ engine, baseUrl, apiKey, model: values[`${stage}_MODEL`], ...guardOptions(values, stage) })
}

function trustProxy (text: string | undefined): ServerSettings['trustProxy'] {
  if (text === undefined || text === 'false') return false
  if (text === 'true') return true
  const given = list(text)
  if (given.length === 1 && /^\d+$/.test(given[0]!)) {
    const hops = Number(given[0])
    return (address, hop) => hop < hops
  }
  for (const one of given) {
    const [address, bits, ...rest] = one.split('/')
    const version = isIP(address!)
    const isNamed = /^(loopback|linklocal|uniquelocal)$/.test(one)
    const isRange = version !== 0 && rest.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)))
    if (!isNamed && !isRange) throw new OptionsError(`TRUST_PROXY is wrong: expected true, false, a number of hops, or addresses, but found '${one}'.`)
  }
  return given
}

function roots (text: string | undefined): Record<string, string> {
  const names = new Set<string>()
  return Object.fromEntries(list(text).map(pair => {
    const split = pair.indexOf('=')
    const name = pair.slice(0, split)
    if (split < 1 || !/^[A-Za-z0-9_-]+$/.test(name) || split === pair.length - 1) throw new OptionsError(`CHARACTERS_ROOTS is wrong: expected name=/path pairs, but found '${pair}'.`)
    if (name === 'default' || names.has(name)) throw new OptionsError(`CHARACTERS_ROOTS is wrong: there is another root '${name}' already.`)
    names.add(name)
    return [name, pair.slice(split + 1)]
  }))
}

function list (text: string | undefined): string[] {
  return (text ?? '').split(',').map(one => one.trim()).filter(one => one !== '')
}

function given<T extends object> (fields: T): { [K in keyof T]: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [K in keyof T]: NonNullable<T[K]> }
}

function expectation (schema: TSchema, message: string): string {
  if (schema.expected !== undefined) return `expected ${schema.expected}`
  const values: unknown[] = (schema.anyOf ?? []).map((member: TSchema) => member.const)
  return values.length > 0 ? `expected one of ${values.join(', ')}` : message.toLowerCase()
}
