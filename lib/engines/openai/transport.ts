import http from 'node:http'
import https from 'node:https'

/** What the `openai` client uses instead of the global `fetch`. */
export interface Transport {
  fetch: typeof globalThis.fetch
  /** The bytes of a response that {@link Transport.fetch} gave, read in the cheaper of two ways: it can be read once. */
  body (response: Response): AsyncIterable<Uint8Array>
  /** Ends every connection, also those in use. Idempotent. */
  close (): void
}

/** No connection came about in time; its message is fit for people. */
export class ConnectTimeout extends Error {
  readonly code = 'ETIMEDOUT'
}

/**
 * `fetch` over connections of its own. The global one cannot tell a dead host from a model that is
 * still loading, and keeps its connections when an engine closes.
 *
 * @param connectTimeoutMs Milliseconds for DNS, TCP and TLS together.
 */
export function createTransport (connectTimeoutMs: number): Transport {
  const agents = {
    'http:': new http.Agent({ keepAlive: true }),
    'https:': new https.Agent({ keepAlive: true })
  }

  const messages = new WeakMap<Response, http.IncomingMessage>()

  return {
    body: response => messages.get(response) ?? response.body!,

    async fetch (input, init = {}) {
      const url = new URL(input instanceof Request ? input.url : input)
      const headers = new Headers(init.headers)
      let body: Buffer | undefined
      if (init.body != null) {
        // A Response knows how to encode every kind of body, forms included.
        const encoded = new Response(init.body)
        const type = encoded.headers.get('content-type')
        if (type !== null && !headers.has('content-type')) headers.set('content-type', type)
        body = Buffer.from(await encoded.arrayBuffer())
        headers.set('content-length', String(body.length))
      }
      const send = () => exchange(url, { method: init.method ?? 'GET', headers, body, signal: init.signal ?? undefined })
      try {
        return await send()
      } catch (error) {
        // The server closed a kept connection just as it was chosen: the request never arrived.
        if (error instanceof StaleConnection) return await send()
        throw error
      }
    },

    close () {
      for (const agent of Object.values(agents)) agent.destroy()
    }
  }

  function exchange (url: URL, { method, headers, body, signal }: { method: string, headers: Headers, body: Buffer | undefined, signal: AbortSignal | undefined }): Promise<Response> {
    const secure = url.protocol === 'https:'
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const request = (secure ? https : http).request(url, {
        method,
        headers: Object.fromEntries(headers),
        agent: agents[secure ? 'https:' : 'http:']
      })
      const abort = () => {
        const { socket } = request
        request.destroy(signal?.reason)
        // If the last bytes were there already, Node no longer listens to the connection that it destroys.
        if (socket?.destroyed) socket.on('error', () => {})
      }
      signal?.addEventListener('abort', abort, { once: true })

      request.on('socket', socket => {
        if (!socket.connecting) return
        const timer = setTimeout(() => {
          request.destroy(new ConnectTimeout(`no connection within ${connectTimeoutMs} ms`))
        }, connectTimeoutMs)
        socket.once(secure ? 'secureConnect' : 'connect', () => clearTimeout(timer))
        socket.once('close', () => clearTimeout(timer))
      })
      request.on('close', () => signal?.removeEventListener('abort', abort))
      request.on('error', (error: NodeJS.ErrnoException) => {
        reject(request.reusedSocket && error.code === 'ECONNRESET' ? new StaleConnection() : error)
      })
      request.on('response', message => {
        const status = message.statusCode ?? 502
        const empty = status === 204 || status === 205 || status === 304
        if (empty) message.resume()
        // Whoever reads it meets the error; when nobody does, as after an abort, it is nobody's.
        message.on('error', () => {})
        const response = new Response(empty ? null : lazyStream(message), {
          status,
          headers: Object.entries(message.headersDistinct).flatMap(([name, values = []]) => values.map((value): [string, string] => [name, value]))
        })
        if (!empty) messages.set(response, message)
        resolve(response)
      })
      request.end(body)
    })
  }
}

/** Touches the message only when it is read itself. */
function lazyStream (message: http.IncomingMessage): ReadableStream<Uint8Array> {
  let chunks: AsyncIterator<Uint8Array> | undefined
  return new ReadableStream<Uint8Array>({
    async pull (controller) {
      chunks ??= message[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
      const { done, value } = await chunks.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel () { message.destroy() }
  }, { highWaterMark: 0 })
}

class StaleConnection extends Error {}
