import { StoreHost, type StoreGuest } from '../../lib/cluster/store-host.js'
import type { StoreCall, StoreReply } from '../../lib/cluster/remote-store.js'

// A process that has stores, for those that ask it over their channel: one for each fleet, and several guests of each.

export type FromGuest = { fleet: string, guest: string } & ({ call: StoreCall } | { gone: true })
export interface ToGuest { guest: string, reply: StoreReply }

const hosts = new Map<string, StoreHost>()
const guests = new Map<string, StoreGuest>()

process.on('message', (message: FromGuest) => {
  const { fleet, guest } = message
  const host = hosts.get(fleet) ?? new StoreHost()
  hosts.set(fleet, host)
  const known = guests.get(guest) ?? host.admit(reply => process.send!({ guest, reply } satisfies ToGuest))
  guests.set(guest, known)
  if ('gone' in message) known.gone()
  else known.take(message.call)
})

process.send!('ready')
