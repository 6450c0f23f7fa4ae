export interface Scene {
  tell: string
  /** What the listener may choose: words of the choice, and the scene it leads to. None: the end. */
  choices: { words: string[], to: string }[]
}

export const opening = 'gate'

/** The story of the lamp that went out, which has four endings. */
export const scenes: Record<string, Scene> = {
  gate: {
    tell: 'One evening the great lamp over Lantern Street goes out, and you are sent to find a new flame. Two ways lead out of town: the stairs down to the harbour, and the path up to the hill. Which do you take?',
    choices: [
      { words: ['stair', 'stairs', 'harbour', 'harbor', 'down', 'sea', 'water', 'first'], to: 'harbour' },
      { words: ['path', 'hill', 'up', 'mountain', 'second'], to: 'hill' }
    ]
  },
  harbour: {
    tell: 'At the harbour a small boat rocks without a boatman, and beside it sits an otter with a key around its neck. Do you step into the boat, or speak to the otter?',
    choices: [
      { words: ['boat', 'step', 'sail', 'row', 'first'], to: 'island' },
      { words: ['otter', 'speak', 'talk', 'ask', 'key', 'second'], to: 'otter' }
    ]
  },
  hill: {
    tell: 'On the hill stands an old tower, dark but for one window. You hear somebody hum inside, and above you the stars look close enough to touch. Do you knock at the tower, or climb to the stars?',
    choices: [
      { words: ['tower', 'knock', 'door', 'hum', 'window', 'inside', 'first'], to: 'tower' },
      { words: ['star', 'stars', 'climb', 'sky', 'touch', 'second'], to: 'stars' }
    ]
  },
  island: {
    tell: 'The boat finds its own way to an island where fireflies live. You ask them kindly, and a thousand of them follow you home and settle in the lamp. It has never shone so softly. That is one ending.',
    choices: []
  },
  otter: {
    tell: 'The otter gives you the key and says: the flame was never gone, only locked away from the wind. You open the little door of the lamp, and there it burns. That is one ending.',
    choices: []
  },
  tower: {
    tell: 'The door opens, and an old woman hands you her candle without a word. Carry it home, she hums, and bring me back a song. You keep your promise, and from then on the lamp hums too. That is one ending.',
    choices: []
  },
  stars: {
    tell: 'You climb until the ladder of the air runs out, and the smallest star hops into your pocket. At home it lights the lamp and winks at you each night. That is one ending.',
    choices: []
  }
}
