import type { TestClient } from './client.js'
import { tone } from './engines.js'
import type { Fault, Saboteur } from './saboteur.js'

/** Words that make several messages of every engine. */
export const ANSWER = 'One, two. Three and four, five. Six.'

/** Somebody speaks, and the turn is answered in some way. */
export async function takeTurn (client: TestClient): Promise<{ status: string, spoke: boolean }> {
  client.append(tone(300), 60)
  client.append(tone(700, 0), 100)
  const { response } = await client.next('response.done')
  return { status: response.status, spoke: response.output.some(item => item.type === 'message' && item.role === 'assistant' && item.status === 'completed') }
}

/** A turn under a fault, and the next one. */
export async function surviveFault (client: TestClient, saboteur: Saboteur, fault: Fault): Promise<{ struck: boolean, answered: boolean }> {
  saboteur.arm(fault)
  await takeTurn(client)
  const struck = saboteur.disarm()
  const { status, spoke } = await takeTurn(client)
  return { struck, answered: status === 'completed' && spoke }
}
