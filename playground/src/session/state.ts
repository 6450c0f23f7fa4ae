import { computed, signal } from '@preact/signals'
import { settings } from './settings.js'

export type Connection = 'off' | 'connecting' | 'on' | 'waiting'

/** Where the server's paths begin, whatever prefix it stands under. */
export const base = new URL('.', document.baseURI).href

export const connection = signal<Connection>('off')
export const microphoneOn = signal(false)
export const muted = signal(false)
/** The button of push-to-talk is down. */
export const pressed = signal(false)
export const listening = computed(() => microphoneOn.value && (settings.value.mode === 'hands-free' ? !muted.value : pressed.value))
export const responding = signal(false)
export const userLevel = signal(0)
export const answerLevel = signal(0)
export const engines = signal<{ stt: string, llm: string, tts: string } | null>(null)
/** What a person has to know or do; null if all is well. */
export const problem = signal<string | null>(null)
/** What would help is a key, or another one. */
export const keyWanted = signal(false)
export const microphoneProblem = signal<string | null>(null)
