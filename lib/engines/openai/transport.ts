import http from 'node:http'
import https from 'node:https'
import { Readable } from 'node:stream'

/** What the `openai` client uses instead of the global `fetch`. */
export interface Transport {
  fetch: typeof globalThis.fetch
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

  return {
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
      const abort = () => { request.destroy(signal?.reason) }
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
        resolve(new Response(empty ? null : Readable.toWeb(message) as ReadableStream<Uint8Array>, {
          status,
          headers: Object.entries(message.headersDistinct).flatMap(([name, values = []]) => values.map((value): [string, string] => [name, value]))
        }))
      })
      request.end(body)
    })
  }
}

class StaleConnection extends Error {}
