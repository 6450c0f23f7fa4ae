/** Where Halley may be when a conversation starts, and what it sees there. */
export const stops = [
  { place: 'the shadow of a small moon', view: 'craters like thumbprints in flour' },
  { place: 'the rings of Saturn', view: 'ten thousand snowballs, all going round in good order' },
  { place: 'the tail of a comet', view: 'dust that glitters like the end of a party' },
  { place: 'the long dark beyond Neptune', view: 'a sun no bigger than a street lamp' },
  { place: 'the belt between Mars and Jupiter', view: 'slow rocks that never quite meet' }
]

/** A postcard's worth of facts for the prompt. */
export function postcardFrom ({ place, view }: typeof stops[number]): string {
  return `At the moment you are in ${place}, and what you see is ${view}.`
}
