import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { Rate } from '../../../lib/access/rate.js'
import type { SessionPlace } from '../../../lib/cluster/admission.js'
import { RealtimeError } from '../../../lib/errors.js'
import { asksForBeta, createBeta } from '../../../lib/realtime/dialects/beta.js'
import { createId } from '../../../lib/realtime/ids.js'
import { joinObservers } from '../../../lib/realtime/observer.js'
import { RealtimeSession } from '../../../lib/realtime/session.js'
import { createSessionLog } from '../../../lib/realtime/session-log.js'
import { closeCast, openCast } from '../../../plugins/characters.js'

interface Query { model?: string, character?: string, characters?: string, intent?: string, call_id?: string, resume?: string, replay?: boolean }

const querystring = {
  type: 'object',
  properties: {
    model: { type: 'string', maxLength: 256 },
    character: { type: 'string', maxLength: 1024 },
    characters: { type: 'string', maxLength: 4096 },
    intent: { type: 'string', maxLength: 64 },
    call_id: { type: 'string' },
    resume: { type: 'string', maxLength: 128 },
    replay: { type: 'boolean' }
  }
}

/** `GET /v1/realtime`: everything that can be refused is refused before the upgrade; after it, the socket is a session's. */
export default async function realtime (fastify: FastifyInstance): Promise<void> {
  const { dramatisSessions: sessions, dramatisKeyring: keyring, dramatisAdmissions: admissions, dramatisHeartbeat: heartbeat, dramatisMetrics: metrics, dramatisEngines: engines, dramatisOptions: options, dramatisResumptions: resumptions } = fastify

  const places = new WeakMap<FastifyRequest, SessionPlace & { gone: () => void }>()

  fastify.get<{ Querystring: Query }>('/v1/realtime', {
    websocket: true,
    schema: { querystring },
    preHandler: [requireUpgrade, fastify.dramatisAdmitSession, refuseCall, takeUp, reservePlace, openCast, checkCharacter],
    onError: async (request, reply, error) => { metrics.rejected(error instanceof RealtimeError ? error.code : 'invalid_value') },
    // Runs for refusals alone: an upgraded connection has no HTTP response.
    onResponse: leave
  }, (socket, request) => { open(socket, request) })

  async function requireUpgrade (request: FastifyRequest): Promise<void> {
    if (!request.ws) throw new RealtimeError('upgrade_required')
  }

  /** Else it would get a session of its own, and never know that it controls no call. */
  async function refuseCall (request: FastifyRequest): Promise<void> {
    if ((request.query as Query).call_id === undefined) return
    throw new RealtimeError('invalid_value', { param: 'call_id', message: 'There are no calls here. Leave \'call_id\' out to begin a session.' })
  }

  /** A client that asks for a session it can come back to, or comes back. Before the place: it may be taken by the connection that is given up. */
  async function takeUp (request: FastifyRequest): Promise<void> {
    const { resume } = request.query as Query
    if (resume === undefined) return
    const owner = request.apiKey?.name ?? ''
    request.resumption = resume === '' || resume === 'new' ? resumptions.begin(owner) : await resumptions.takeUp(resume, owner)
  }

  /** Here and in the fleet; given back when the connection is gone, or refused: whichever comes first. */
  async function reservePlace (request: FastifyRequest): Promise<void> {
    if (fastify.dramatisOverload.refusing) throw new RealtimeError('server_overloaded')
    const { socket } = request.raw
    if (socket.destroyed) {
      await leave(request)
      throw new RealtimeError('upgrade_required', { message: 'The connection is gone.' })
    }
    request.sessionId = request.resumption?.snapshot?.id ?? createId('sess')
    const place = admissions.open(request.sessionId, { address: request.ip, key: request.apiKey })
    const gone = () => { leave(request).catch(error => request.log.error(error, 'purge failed')) }
    socket.once('close', gone)
    places.set(request, { ...place, gone })
    await place.ready
  }

  async function leave (request: FastifyRequest): Promise<void> {
    const place = places.get(request)
    places.delete(request)
    if (place !== undefined) {
      request.raw.socket.off('close', place.gone)
      place.release()
    }
    const { resumption } = request
    request.resumption = null
    await resumption?.putBack().catch(error => request.log.warn(error, 'a session could not be put back'))
    await closeCast(request)
  }

  async function checkCharacter (request: FastifyRequest): Promise<void> {
    const { character } = request.query as Query
    if (character !== undefined && request.characters!.find(character) === undefined) {
      throw new RealtimeError('invalid_value', { param: 'character', message: `Unknown character '${character.slice(0, 64)}'.` })
    }
  }

  /** No await before the listeners are attached: frames that came with the upgrade would be lost. */
  function open (socket: WebSocket, request: FastifyRequest): void {
    const registry = request.characters!
    const configuration = request.clientSecret?.configuration
    const { character, intent, replay, ...query } = request.query as Query
    const { apiKey, resumption } = request
    // From here on it is the session's.
    request.resumption = null
    const model = resumption?.snapshot?.model ?? query.model ?? configuration?.model ?? engines.llm.model
    const { eventsPerSecond = options.limits.eventsPerSecond } = apiKey?.limits ?? {}
    const reloads = new Rate(options.limits.reloadsPerMinute)
    const lines = createSessionLog(request.log.child({ session: registry.session.id }), () => session)
    const trace = fastify.dramatisTracing?.open(request.headers, registry.session.id) ?? null
    const beta = asksForBeta(request.headers)
    const session: RealtimeSession = new RealtimeSession({
      socket,
      connection: request.raw.socket,
      registry,
      engines: trace?.engines(engines) ?? engines,
      model,
      type: configuration?.type ?? (intent === 'transcription' ? 'transcription' : 'realtime'),
      configuration,
      character,
      defaultCharacter: options.characters.default,
      resumption: resumption ?? undefined,
      place: places.get(request),
      replay,
      limits: { ...options.limits, eventsPerSecond },
      strict: options.strict,
      dialect: beta ? createBeta : null,
      countReload: () => reloads.take() || (apiKey === null ? 0 : keyring.countReload(apiKey)),
      observer: trace === null ? joinObservers(metrics.observer, lines.observer) : joinObservers(metrics.observer, lines.observer, trace.observer)
    })

    // Whoever closes it, the client included: events that wait to leave together go first. No event of the socket tells of it in time.
    const { close } = socket
    socket.close = (...how) => {
      session.outbox.flush()
      close.apply(socket, how)
    }
    socket.on('message', (frame: Buffer, isBinary) => {
      try {
        session.receive(frame, isBinary)
      } catch (error) {
        // Nothing that one client sends may end the others.
        lines.observer.fault('session failed', error)
        session.end(1011, 'session failed')
      }
    })
    socket.on('error', lines.broken)
    socket.on('close', code => {
      // Who hangs up does not come back.
      session.close(code !== 1000 && code !== 1005)
      sessions.delete(session)
      heartbeat.forget(socket)
      const seconds = (Date.now() - registry.session.startedAt.getTime()) / 1000
      metrics.closed(seconds, code)
      trace?.end()
      lines.closed(code, seconds)
    })

    sessions.add(session, apiKey?.name ?? null)
    heartbeat.watch(socket, request.raw.socket)
    // Else an embedder's own @fastify/websocket closes it without a code, before its response could finish.
    fastify.websocketServer.clients.delete(socket)
    metrics.opened()
    if (resumption?.snapshot != null) metrics.resumed()
    lines.opened({ address: request.ip, key: apiKey?.name ?? null, model, dialect: beta ? 'beta' : 'ga', resumed: resumption?.snapshot != null })
    // Its key was removed while its cast was loading.
    if (apiKey !== null && keyring.named(apiKey.name) === null) session.end(1008, 'key removed', false)
    else if (sessions.draining) session.end(1001, 'server shutting down')
    else session.start()
  }
}
