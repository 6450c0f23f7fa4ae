import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'

export type Frame = Record<string, any>

/** What goes on to the client instead of a frame: another, several, or none. */
export type Tamper = (frame: Frame) => Frame | Frame[]

/** The URL of a server that hands on everything between clients and another server, but for what it tampers with. */
export async function startTampering (t: Test, url: string, makeTamper: () => Tamper): Promise<string> {
  const proxy = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: offered => offered.has('realtime') ? 'realtime' : false })
  proxy.on('connection', (client, request) => {
    const tamper = makeTamper()
    const upstream = new WebSocket(url + new URL(request.url!, url).search)
    const early: [Buffer, boolean][] = []
    client.on('message', (data: Buffer, isBinary) => {
      if (upstream.readyState === WebSocket.OPEN) upstream.send(data, { binary: isBinary })
      else early.push([data, isBinary])
    })
    upstream.on('open', () => { for (const [data, isBinary] of early) upstream.send(data, { binary: isBinary }) })
    upstream.on('message', data => {
      for (const frame of [tamper(JSON.parse(String(data)))].flat()) client.send(JSON.stringify(frame))
    })
    upstream.on('error', () => client.terminate())
    upstream.on('close', () => client.close())
    client.on('close', () => upstream.terminate())
  })
  await once(proxy, 'listening')
  t.teardown(() => new Promise<void>(resolve => {
    for (const client of proxy.clients) client.terminate()
    proxy.close(() => resolve())
  }))
  return `ws://127.0.0.1:${(proxy.address() as AddressInfo).port}/v1/realtime`
}

/** Leaves events of a type out. */
export const without = (type: string) => (): Tamper => frame => frame.type === type ? [] : frame

/** Changes events of a type. */
export const changing = (type: string, change: (frame: Frame) => void) => (): Tamper => frame => {
  if (frame.type === type) change(frame)
  return frame
}

/** Sends events of a type only after the next one. */
export const late = (type: string) => (): Tamper => {
  let held: Frame | null = null
  return frame => {
    if (frame.type === type && held === null) {
      held = frame
      return []
    }
    const frames = held === null ? [frame] : [frame, held]
    held = null
    return frames
  }
}
