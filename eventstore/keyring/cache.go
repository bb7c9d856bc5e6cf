package keyring

import "sync"

// cacheSize bounds the keys held unwrapped: 4,096 keys are 128 KiB.
const cacheSize = 4096

// cache holds unwrapped keys. Beyond its size it drops any one of them: to
// unwrap a key again costs some three microseconds.
type cache struct {
	size int
	mu   sync.RWMutex
	keys map[KeyID]*[KeySize]byte
}

func newCache(size int) *cache {
	return &cache{size: size, keys: make(map[KeyID]*[KeySize]byte)}
}

// get gives a copy of the key, or nil.
func (c *cache) get(id KeyID) []byte {
	c.mu.RLock()
	defer c.mu.RUnlock()
	key, ok := c.keys[id]
	if !ok {
		return nil
	}
	out := make([]byte, KeySize)
	copy(out, key[:])
	return out
}

func (c *cache) put(id KeyID, key *[KeySize]byte) {
	held := *key
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.keys[id]; !ok && len(c.keys) >= c.size {
		for victim := range c.keys {
			c.dropLocked(victim)
			break
		}
	}
	c.keys[id] = &held
}

func (c *cache) drop(ids ...KeyID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		c.dropLocked(id)
	}
}

func (c *cache) dropAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.keys {
		c.dropLocked(id)
	}
}

func (c *cache) dropLocked(id KeyID) {
	if key, ok := c.keys[id]; ok {
		clear(key[:])
		delete(c.keys, id)
	}
}
