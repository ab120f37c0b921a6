/// The published JSON Schema of scenario files; `scenarios/schema.json` is the same text.
public enum ScenarioSchema {
    /// The schema, draft 2020-12.
    public static let text = #"""
        {
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "title": "Fracas scenario",
          "description": "One trial: what is started, done, broken and expected. See docs/SCENARIOS.md.",
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "summary": {"type": "string"},
            "topology": {
              "type": "object",
              "additionalProperties": false,
              "properties": {
                "file": {"type": "string"},
                "with": {"type": "object"},
                "processes": {
                  "oneOf": [{"$ref": "#/$defs/process"}, {"type": "array", "items": {"$ref": "#/$defs/process"}}]
                },
                "children": {
                  "oneOf": [{"$ref": "#/$defs/child"}, {"type": "array", "items": {"$ref": "#/$defs/child"}}]
                },
                "channels": {
                  "type": "object",
                  "additionalProperties": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                      "writer": {"$ref": "#/$defs/role"},
                      "reader": {"$ref": "#/$defs/role"},
                      "index": {"$ref": "#/$defs/number"}
                    },
                    "required": ["writer", "reader"]
                  }
                }
              }
            },
            "steps": {"oneOf": [{"$ref": "#/$defs/step"}, {"type": "array", "items": {"$ref": "#/$defs/step"}}]},
            "faults": {"oneOf": [{"$ref": "#/$defs/fault"}, {"type": "array", "items": {"$ref": "#/$defs/fault"}}]},
            "points": {
              "type": "object",
              "additionalProperties": {"$ref": "#/$defs/point"},
              "description": "Named points, which holds, windows and steps refer to."
            },
            "expect": {
              "type": "object",
              "additionalProperties": false,
              "properties": {
                "forbid": {"type": "object", "additionalProperties": {"type": "string"}},
                "exits": {
                  "oneOf": [{"$ref": "#/$defs/exit-rule"}, {"type": "array", "items": {"$ref": "#/$defs/exit-rule"}}]
                },
                "phases": {
                  "oneOf": [
                    {"const": "none"},
                    {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {
                        "pattern": {"type": "string"},
                        "order": {"type": "array", "items": {"type": "string"}},
                        "final": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
                      }
                    }
                  ]
                },
                "delivery": {
                  "oneOf": [
                    {"$ref": "#/$defs/delivery-rule"},
                    {"type": "array", "items": {"$ref": "#/$defs/delivery-rule"}}
                  ]
                },
                "leaks": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {
                    "shm": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
                    "tmp": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
                    "ports": {
                      "oneOf": [{"$ref": "#/$defs/number"}, {"type": "array", "items": {"$ref": "#/$defs/number"}}]
                    },
                    "descriptors": {
                      "oneOf": [
                        {
                          "type": "object",
                          "additionalProperties": false,
                          "properties": {"roles": {"$ref": "#/$defs/role"}, "most": {"type": "object"}}
                        },
                        {
                          "type": "array",
                          "items": {
                            "type": "object",
                            "additionalProperties": false,
                            "properties": {"roles": {"$ref": "#/$defs/role"}, "most": {"type": "object"}}
                          }
                        }
                      ]
                    }
                  }
                },
                "orphans": {
                  "oneOf": [{"enum": ["allowed", "forbidden"]}, {"$ref": "#/$defs/orphans-of"}],
                  "description": "forbidden: not even by those whose parent was killed. Left out: theirs is a consequence."
                },
                "zombies": {
                  "enum": ["allowed", "forbidden"],
                  "description": "Whether a child that has ended may be left to others to wait for; allowed by default."
                },
                "when-killed": {
                  "oneOf": [
                    {"$ref": "#/$defs/killed-rule"},
                    {"type": "array", "items": {"$ref": "#/$defs/killed-rule"}}
                  ],
                  "description": "What is allowed besides once a process of a role was killed."
                },
                "raises": {
                  "$ref": "#/$defs/words",
                  "description": "Exceptions that no Python process may raise, caught or not."
                }
              }
            },
            "known": {
              "oneOf": [
                {"$ref": "#/$defs/known-finding"},
                {"type": "array", "items": {"$ref": "#/$defs/known-finding"}}
              ],
              "description": "Findings that are set aside, as reports call them, or patterns (fnmatch) on that."
            },
            "finding": {
              "type": "string",
              "description": "The one finding that this scenario is for: only that makes a trial violated."
            },
            "limits": {
              "type": "object",
              "additionalProperties": false,
              "properties": {
                "trial": {"$ref": "#/$defs/duration"},
                "output": {"type": "string"},
                "records": {"$ref": "#/$defs/number"},
                "orphan-grace": {"$ref": "#/$defs/duration"}
              }
            },
            "files": {
              "type": "object",
              "additionalProperties": false,
              "description": "What the trial has of the host's files beyond a private copy.",
              "properties": {
                "writable": {
                  "type": "array",
                  "items": {"$ref": "#/$defs/place"},
                  "description": "Paths that are the host's own: what is written there stays."
                },
                "empty": {
                  "type": "array",
                  "items": {"$ref": "#/$defs/place"},
                  "description": "Directories that are empty at first, whatever the host has there."
                }
              }
            }
          },
          "required": ["topology"],
          "$defs": {
            "role": {
              "type": "string",
              "pattern": "^([A-Za-z][\\w-]*(\\[(\\d+|\\*)\\])?(\\.[A-Za-z][\\w-]*(\\[(\\d+|\\*)\\])?)*|.*[$][{].*)$",
              "description": "A role or a pattern over roles: node, node[0], runner[*], node[0].runner[1]."
            },
            "duration": {
              "type": "string",
              "pattern": "^([0-9.]+ ?(us|ms|s|m|h)|.*[$][{].*)$",
              "description": "200ms, 1.5s, 2m"
            },
            "span": {
              "type": "string",
              "description": "A time, or two with .. between: 50ms..400ms, drawn with the trial's seed."
            },
            "number": {"type": ["integer", "string"], "description": "A number, or a variable ${…}."},
            "words": {"type": ["array", "string"], "items": {"type": ["string", "number"]}},
            "env": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
            "place": {"type": "string", "pattern": "^(/|.*[$][{])", "description": "A path from / on, in the trial."},
            "change-end": {
              "anyOf": [{"enum": ["done", "undone", "refused", "unfinished", "killed"]}, {"$ref": "#/$defs/exit-code"}]
            },
            "change-ends": {
              "anyOf": [{"$ref": "#/$defs/change-end"}, {"type": "array", "items": {"$ref": "#/$defs/change-end"}, "minItems": 1}]
            },
            "validate-end": {
              "anyOf": [{"enum": ["healthy", "unhealthy", "refused", "killed"]}, {"$ref": "#/$defs/exit-code"}]
            },
            "validate-ends": {
              "anyOf": [
                {"$ref": "#/$defs/validate-end"},
                {"type": "array", "items": {"$ref": "#/$defs/validate-end"}, "minItems": 1}
              ]
            },
            "exit-code": {"type": ["integer", "string"], "pattern": "^([0-9]+|.*[$][{].*)$", "minimum": 0, "maximum": 255},
            "process": {
              "type": "object",
              "additionalProperties": false,
              "properties": {
                "role": {"type": "string"},
                "count": {"$ref": "#/$defs/number"},
                "command": {"$ref": "#/$defs/words"},
                "env": {"$ref": "#/$defs/env"},
                "directory": {"type": "string"},
                "ready": {
                  "oneOf": [
                    {"const": "exit"},
                    {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {"log": {"type": "string"}, "roles": {"$ref": "#/$defs/role"}},
                      "required": ["log"]
                    },
                    {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {"port": {"$ref": "#/$defs/number"}},
                      "required": ["port"]
                    },
                    {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {"socket": {"type": "string"}},
                      "required": ["socket"]
                    }
                  ]
                },
                "warm": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {"import": {"$ref": "#/$defs/words"}, "path": {"$ref": "#/$defs/words"}},
                  "required": ["import"]
                }
              },
              "required": ["role", "command"]
            },
            "child": {
              "type": "object",
              "additionalProperties": false,
              "properties": {
                "role": {"type": "string"},
                "of": {"$ref": "#/$defs/role"},
                "start": {"type": "string", "description": "fork, spawn or any"},
                "command": {"type": "string"},
                "count": {"$ref": "#/$defs/number"}
              },
              "required": ["role", "of"]
            },
            "step": {
              "type": "object",
              "additionalProperties": false,
              "properties": {
                "name": {"type": "string"},
                "within": {"$ref": "#/$defs/duration"},
                "start": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {
                    "roles": {"$ref": "#/$defs/role"},
                    "ready": {"type": "boolean"},
                    "must": {"type": ["boolean", "string"]}
                  }
                },
                "wait": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {
                    "log": {"type": "string"},
                    "roles": {"$ref": "#/$defs/role"},
                    "count": {"$ref": "#/$defs/number"},
                    "exit": {"$ref": "#/$defs/role"},
                    "fault": {"type": "string"},
                    "point": {"type": "string"},
                    "port": {"$ref": "#/$defs/number"},
                    "socket": {"type": "string"},
                    "must": {
                      "type": ["boolean", "string"],
                      "description": "It has to come: that it does not is a violation."
                    }
                  }
                },
                "signal": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {
                    "roles": {"$ref": "#/$defs/role"},
                    "signal": {"type": ["string", "integer"]},
                    "group": {"type": ["boolean", "string"]}
                  },
                  "required": ["roles", "signal"]
                },
                "stop": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {
                    "roles": {"$ref": "#/$defs/role"},
                    "signal": {"type": ["string", "integer"]},
                    "group": {
                      "type": ["boolean", "string"],
                      "description": "To each one's whole process group, as a terminal's Ctrl-C."
                    }
                  },
                  "required": ["roles"]
                },
                "run": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {"command": {"$ref": "#/$defs/words"}, "env": {"$ref": "#/$defs/env"}},
                  "required": ["command"]
                },
                "deploy": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {
                    "tree": {"$ref": "#/$defs/place"},
                    "release": {"$ref": "#/$defs/place"},
                    "backup-only": {"type": ["boolean", "string"]},
                    "dry-run": {"type": ["boolean", "string"]},
                    "skip-tests": {"type": ["boolean", "string"]},
                    "set": {"$ref": "#/$defs/env"},
                    "expect": {"$ref": "#/$defs/change-ends"}
                  },
                  "required": ["tree"]
                },
                "rollback": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {
                    "tree": {"$ref": "#/$defs/place"},
                    "backup": {"type": "string"},
                    "emergency": {"type": ["boolean", "string"]},
                    "set": {"$ref": "#/$defs/env"},
                    "expect": {"$ref": "#/$defs/change-ends"}
                  },
                  "required": ["tree"]
                },
                "validate": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {
                    "tree": {"$ref": "#/$defs/place"},
                    "since": {"type": ["string", "integer"]},
                    "report-only": {"type": ["boolean", "string"]},
                    "set": {"$ref": "#/$defs/env"},
                    "expect": {"$ref": "#/$defs/validate-ends"}
                  },
                  "required": ["tree"]
                }
              }
            },
            "point": {
              "type": "object",
              "additionalProperties": false,
              "properties": {
                "roles": {"$ref": "#/$defs/role"},
                "under": {"$ref": "#/$defs/role", "description": "These roles and every process below them."},
                "call": {
                  "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
                  "description": "A system call, a class such as %file, or a list of them."
                },
                "on": {"enum": ["entry", "exit"]},
                "line": {"type": "string"},
                "mark": {"type": "string"},
                "fields": {"type": "object", "additionalProperties": {"type": ["string", "integer"]}},
                "function": {"type": "string", "pattern": "^[^:]+:[^:]+$"},
                "channel": {"type": "string"},
                "path": {"type": "string"},
                "peer": {"type": "string"},
                "args": {
                  "type": "object",
                  "patternProperties": {
                    "^[0-5]$": {
                      "oneOf": [
                        {"type": ["string", "integer"]},
                        {"type": "array", "items": {"type": ["string", "integer"]}}
                      ]
                    }
                  },
                  "additionalProperties": false,
                  "description": "Conditions on arguments: {2: \">= 4096\", 1: \"& 0x40\", 0: 5}."
                },
                "thread": {"type": "string", "description": "main, other, or a pattern on the thread's name."},
                "ready": {"type": ["boolean", "string"]},
                "unnamed": {
                  "type": ["boolean", "string"],
                  "description": "On no channel, and neither a line nor a mark."
                },
                "effective": {
                  "type": ["boolean", "string"],
                  "description": "Able to change something: its descriptor is open, what it sets for signals is not set already."
                },
                "nth": {"type": ["string", "integer"]},
                "times": {"type": ["string", "integer"]},
                "last": {"$ref": "#/$defs/number"},
                "every": {"$ref": "#/$defs/number"},
                "probability": {"type": ["number", "string"]},
                "after": {"type": "string"},
                "before": {"type": "string"}
              }
            },
            "fault": {
              "type": "object",
              "additionalProperties": false,
              "properties": {
                "name": {"type": "string"},
                "kill": {
                  "oneOf": [
                    {"type": ["string", "integer"]},
                    {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {"roles": {"$ref": "#/$defs/role"}, "signal": {"type": ["string", "integer"]}}
                    }
                  ]
                },
                "stop": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {"roles": {"$ref": "#/$defs/role"}, "for": {"$ref": "#/$defs/span"}}
                },
                "continue": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {"roles": {"$ref": "#/$defs/role"}}
                },
                "freeze": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {"roles": {"$ref": "#/$defs/role"}, "for": {"$ref": "#/$defs/span"}}
                },
                "starve": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {
                    "roles": {"$ref": "#/$defs/role"},
                    "share": {"type": ["string", "integer"]},
                    "for": {"$ref": "#/$defs/span"}
                  },
                  "required": ["share", "for"]
                },
                "memory": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {"roles": {"$ref": "#/$defs/role"}, "limit": {"type": ["string", "integer"]}},
                  "required": ["limit"]
                },
                "exhaust": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {"roles": {"$ref": "#/$defs/role"}, "for": {"$ref": "#/$defs/span"}}
                },
                "clock": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {"roles": {"$ref": "#/$defs/role"}, "jump": {"type": "string"}},
                  "required": ["jump"]
                },
                "delay": {"$ref": "#/$defs/span"},
                "hold": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {"until": {"type": "string"}, "at-most": {"$ref": "#/$defs/duration"}},
                  "required": ["until"]
                },
                "errno": {"type": "string"},
                "return": {"type": ["string", "integer"]},
                "short": {"type": ["string", "integer"]},
                "poke": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {
                    "argument": {"type": ["string", "integer"]},
                    "text": {"type": ["string", "integer"]},
                    "hex": {"type": ["string", "integer"]}
                  },
                  "required": ["argument"]
                },
                "close": {"enum": ["peer", "own", "descriptor", "sending", "receiving", "reset"]},
                "at": {"$ref": "#/$defs/point"},
                "after": {"$ref": "#/$defs/span"},
                "of": {"type": "string"},
                "optional": {"type": "boolean"}
              }
            },
            "killed-rule": {
              "type": "object",
              "additionalProperties": false,
              "properties": {
                "roles": {"$ref": "#/$defs/role"},
                "exits": {
                  "oneOf": [{"$ref": "#/$defs/exit-rule"}, {"type": "array", "items": {"$ref": "#/$defs/exit-rule"}}]
                },
                "leaks": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {
                    "shm": {"$ref": "#/$defs/words"},
                    "tmp": {"$ref": "#/$defs/words"},
                    "ports": {
                      "oneOf": [{"$ref": "#/$defs/number"}, {"type": "array", "items": {"$ref": "#/$defs/number"}}]
                    }
                  }
                },
                "orphans": {"oneOf": [{"const": "allowed"}, {"$ref": "#/$defs/orphans-of"}]},
                "forbid": {"$ref": "#/$defs/words", "description": "Forbidden texts that may be printed, by name."},
                "raises": {"$ref": "#/$defs/words", "description": "Forbidden exceptions that may be raised."}
              },
              "required": ["roles"]
            },
            "orphans-of": {
              "type": "object",
              "additionalProperties": false,
              "properties": {
                "allowed": {"oneOf": [{"$ref": "#/$defs/role"}, {"type": "array", "items": {"$ref": "#/$defs/role"}}]}
              },
              "required": ["allowed"]
            },
            "known-finding": {
              "oneOf": [
                {"type": "string"},
                {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {"signature": {"type": "string"}, "why": {"type": "string"}},
                  "required": ["signature"]
                }
              ]
            },
            "exit-rule": {
              "type": "object",
              "additionalProperties": false,
              "properties": {
                "roles": {"$ref": "#/$defs/role"},
                "allow": {
                  "oneOf": [
                    {"type": ["integer", "string"]},
                    {"type": "array", "items": {"type": ["integer", "string"]}}
                  ]
                }
              }
            },
            "delivery-rule": {
              "type": "object",
              "additionalProperties": false,
              "properties": {"channel": {"type": "string"}, "receiver": {"$ref": "#/$defs/role"}}
            }
          }
        }
        """#
}
