import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from './mutations.js'

const BYTES = ['\0', '\t', ' ', '%', '%00', '%2e%2e/', '%ff', '%E0%A4%A', '&', '=', '?', '#', '[]', '[__proto__]=1', '__proto__', '\'', '"', '<script>', '\u00ff', ';', '..', 'x'.repeat(5000), '1e999', '-1']
const NAMES = ['model', 'character', 'characters', 'intent', 'limit', 'after', '__proto__', 'constructor', '']
const HEADERS: Record<string, readonly string[]> = {
  authorization: ['Bearer', 'Bearer ', 'Bearer x', 'bearer \t', 'Basic Og==', 'Bearer ek_', `Bearer ${'k'.repeat(6000)}`, '\u00ff'],
  'sec-websocket-protocol': ['realtime', 'realtime, openai-insecure-api-key.x', ',', 'realtime,realtime', 'openai-insecure-api-key.', '\u00ff', 'x'.repeat(3000), 'realtime, openai-beta.realtime-v1'],
  'openai-beta': ['realtime=v1', 'realtime=v1,realtime=v1', '', '__proto__'],
  origin: ['null', 'http://', 'http://localhost:1', 'javascript:alert(1)', 'http://[::1', '\u00ff'],
  host: ['', 'localhost', 'evil.example', '[::1]:1', ':', '\u00ff'],
  'sec-websocket-extensions': ['permessage-deflate', 'permessage-deflate; server_max_window_bits=99', ';', 'x-unknown'],
  'sec-websocket-version': ['13', '12', '-1', ''],
  'sec-websocket-key': ['', 'x', randomBytes(16).toString('base64')],
  traceparent: ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '00-0-0-0', 'ff-', 'x'.repeat(2000)],
  'x-forwarded-for': ['127.0.0.1', '::1, \u00ff', ','.repeat(1000)],
  'content-length': ['0', '5', '-1'],
  'transfer-encoding': ['chunked', 'gzip']
}

const pick = <T>(random: Random, from: readonly T[]): T => from[random(from.length)]!

/** The head of an upgrade request with something odd in its query or its headers. */
export function oddUpgrade (random: Random, path: string): string {
  const query = Array.from({ length: random(4) }, () => `${pick(random, NAMES)}=${pick(random, BYTES)}`).join('&').replace(/[\0\t ]/g, letter => random(2) === 0 ? encodeURIComponent(letter) : letter)
  const headers: Record<string, string> = {
    host: '127.0.0.1', connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ=='
  }
  for (let n = random(4); n > 0; n--) {
    const name = pick(random, Object.keys(HEADERS))
    headers[name] = pick(random, HEADERS[name]!)
  }
  if (random(8) === 0) delete headers[pick(random, Object.keys(headers))]
  return `GET ${path}${query === '' ? '' : `?${query}`} HTTP/1.1\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

/** A frame as no client would send it: lengths that lie, reserved bits, control frames that are too long, no mask. */
export function oddFrames (random: Random): Buffer {
  return Buffer.concat(Array.from({ length: 1 + random(4) }, () => {
    const body = Buffer.from('{"type":"session.characters.list"}'.slice(0, random(40)))
    const mask = random(4) === 0 ? Buffer.alloc(0) : Buffer.from([1, 2, 3, 4])
    const length = random(3) === 0 ? random(128) : body.length
    return Buffer.concat([Buffer.from([random(256), (mask.length > 0 ? 0x80 : 0) | length]), mask, random(4) === 0 ? Buffer.alloc(0) : body])
  }))
}

/**
 * Writes bytes to a port, more of them once there was an answer, and goes away. Resolves with the first line of
 * the answer, or with nothing if the connection was cut without one.
 *
 * @param graceMs how long a server may take that answers only what is whole
 */
export async function talkRaw (port: number, head: string, then: Buffer | null = null, graceMs = 1000): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const grace = new AbortController()
  let answer = ''
  try {
    const answered = new Promise<void>(resolve => {
      socket.on('data', data => {
        answer ||= data.toString('latin1')
        resolve()
      })
      socket.on('error', () => resolve())
      socket.on('close', () => resolve())
    })
    socket.write(Buffer.from(head, 'latin1'))
    await Promise.race([answered, sleep(graceMs, undefined, { signal: grace.signal })])
    if (then !== null && answer.startsWith('HTTP/1.1 101')) {
      const ended = new Promise(resolve => socket.once('close', resolve))
      socket.end(then)
      await ended
    }
    return answer.split('\r\n', 1)[0]!
  } finally {
    grace.abort()
    socket.destroy()
  }
}
