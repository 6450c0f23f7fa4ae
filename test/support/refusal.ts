import type { IncomingHttpHeaders } from 'node:http'
import { WebSocket } from 'ws'

export interface Refusal { status: number, headers: IncomingHttpHeaders, body: any }

/** What a refused upgrade answers; rejects if it is not refused. */
export function refusal (url: string, headers: Record<string, string> = {}): Promise<Refusal> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers })
    socket.on('open', () => {
      socket.close()
      reject(new Error('The socket opened.'))
    })
    socket.on('error', () => {})
    socket.on('unexpected-response', (request, response) => {
      let text = ''
      response.on('data', chunk => { text += chunk })
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: JSON.parse(text) }))
    })
  })
}
