/// The published JSON Schema of scenario files; `scenarios/schema.json` is the same text.
public enum ScenarioSchema {
    /// The schema, draft 2020-12.
    public static let text = #"""
        {
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "title": "Fracas scenario",
          "description": "What is started, done, broken and expected in one trial. docs/SCENARIOS.md explains each key.",
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "summary": {
              "type": "string"
            },
            "topology": {
              "type": "object",
              "additionalProperties": false,
              "properties": {
                "file": {
                  "type": "string"
                },
                "with": {
                  "type": "object"
                },
                "processes": {
                  "oneOf": [
                    {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {
                        "role": {
                          "type": "string"
                        },
                        "count": {
                          "$ref": "#/$defs/number"
                        },
                        "command": {
                          "$ref": "#/$defs/words"
                        },
                        "env": {
                          "$ref": "#/$defs/env"
                        },
                        "directory": {
                          "type": "string"
                        },
                        "ready": {
                          "oneOf": [
                            {
                              "const": "exit"
                            },
                            {
                              "type": "object",
                              "additionalProperties": false,
                              "properties": {
                                "log": {
                                  "type": "string"
                                }
                              },
                              "required": [
                                "log"
                              ]
                            }
                          ]
                        }
                      },
                      "required": [
                        "role",
                        "command"
                      ]
                    },
                    {
                      "type": "array",
                      "items": {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {
                          "role": {
                            "type": "string"
                          },
                          "count": {
                            "$ref": "#/$defs/number"
                          },
                          "command": {
                            "$ref": "#/$defs/words"
                          },
                          "env": {
                            "$ref": "#/$defs/env"
                          },
                          "directory": {
                            "type": "string"
                          },
                          "ready": {
                            "oneOf": [
                              {
                                "const": "exit"
                              },
                              {
                                "type": "object",
                                "additionalProperties": false,
                                "properties": {
                                  "log": {
                                    "type": "string"
                                  }
                                },
                                "required": [
                                  "log"
                                ]
                              }
                            ]
                          }
                        },
                        "required": [
                          "role",
                          "command"
                        ]
                      }
                    }
                  ]
                },
                "children": {
                  "oneOf": [
                    {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {
                        "role": {
                          "type": "string"
                        },
                        "of": {
                          "$ref": "#/$defs/role"
                        },
                        "start": {
                          "type": "string",
                          "description": "fork, spawn or any"
                        },
                        "command": {
                          "type": "string"
                        },
                        "count": {
                          "$ref": "#/$defs/number"
                        }
                      },
                      "required": [
                        "role",
                        "of"
                      ]
                    },
                    {
                      "type": "array",
                      "items": {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {
                          "role": {
                            "type": "string"
                          },
                          "of": {
                            "$ref": "#/$defs/role"
                          },
                          "start": {
                            "type": "string",
                            "description": "fork, spawn or any"
                          },
                          "command": {
                            "type": "string"
                          },
                          "count": {
                            "$ref": "#/$defs/number"
                          }
                        },
                        "required": [
                          "role",
                          "of"
                        ]
                      }
                    }
                  ]
                },
                "channels": {
                  "type": "object",
                  "additionalProperties": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                      "writer": {
                        "$ref": "#/$defs/role"
                      },
                      "reader": {
                        "$ref": "#/$defs/role"
                      },
                      "index": {
                        "$ref": "#/$defs/number"
                      }
                    },
                    "required": [
                      "writer",
                      "reader"
                    ]
                  }
                }
              }
            },
            "steps": {
              "oneOf": [
                {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {
                    "name": {
                      "type": "string"
                    },
                    "within": {
                      "$ref": "#/$defs/duration"
                    },
                    "start": {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {
                        "roles": {
                          "$ref": "#/$defs/role"
                        },
                        "ready": {
                          "type": "boolean"
                        }
                      }
                    },
                    "wait": {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {
                        "log": {
                          "type": "string"
                        },
                        "roles": {
                          "$ref": "#/$defs/role"
                        },
                        "count": {
                          "$ref": "#/$defs/number"
                        },
                        "exit": {
                          "$ref": "#/$defs/role"
                        },
                        "fault": {
                          "type": "string"
                        }
                      }
                    },
                    "signal": {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {
                        "roles": {
                          "$ref": "#/$defs/role"
                        },
                        "signal": {
                          "type": [
                            "string",
                            "integer"
                          ]
                        }
                      },
                      "required": [
                        "roles",
                        "signal"
                      ]
                    },
                    "stop": {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {
                        "roles": {
                          "$ref": "#/$defs/role"
                        },
                        "signal": {
                          "type": [
                            "string",
                            "integer"
                          ]
                        }
                      },
                      "required": [
                        "roles"
                      ]
                    },
                    "run": {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {
                        "command": {
                          "$ref": "#/$defs/words"
                        },
                        "env": {
                          "$ref": "#/$defs/env"
                        }
                      },
                      "required": [
                        "command"
                      ]
                    }
                  }
                },
                {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                      "name": {
                        "type": "string"
                      },
                      "within": {
                        "$ref": "#/$defs/duration"
                      },
                      "start": {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {
                          "roles": {
                            "$ref": "#/$defs/role"
                          },
                          "ready": {
                            "type": "boolean"
                          }
                        }
                      },
                      "wait": {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {
                          "log": {
                            "type": "string"
                          },
                          "roles": {
                            "$ref": "#/$defs/role"
                          },
                          "count": {
                            "$ref": "#/$defs/number"
                          },
                          "exit": {
                            "$ref": "#/$defs/role"
                          },
                          "fault": {
                            "type": "string"
                          }
                        }
                      },
                      "signal": {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {
                          "roles": {
                            "$ref": "#/$defs/role"
                          },
                          "signal": {
                            "type": [
                              "string",
                              "integer"
                            ]
                          }
                        },
                        "required": [
                          "roles",
                          "signal"
                        ]
                      },
                      "stop": {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {
                          "roles": {
                            "$ref": "#/$defs/role"
                          },
                          "signal": {
                            "type": [
                              "string",
                              "integer"
                            ]
                          }
                        },
                        "required": [
                          "roles"
                        ]
                      },
                      "run": {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {
                          "command": {
                            "$ref": "#/$defs/words"
                          },
                          "env": {
                            "$ref": "#/$defs/env"
                          }
                        },
                        "required": [
                          "command"
                        ]
                      }
                    }
                  }
                }
              ]
            },
            "faults": {
              "oneOf": [
                {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {
                    "name": {
                      "type": "string"
                    },
                    "kill": {
                      "oneOf": [
                        {
                          "type": "string"
                        },
                        {
                          "type": "object",
                          "additionalProperties": false,
                          "properties": {
                            "roles": {
                              "$ref": "#/$defs/role"
                            },
                            "signal": {
                              "type": "string"
                            }
                          }
                        }
                      ]
                    },
                    "stop": {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {
                        "roles": {
                          "$ref": "#/$defs/role"
                        },
                        "for": {
                          "$ref": "#/$defs/span"
                        }
                      }
                    },
                    "continue": {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {
                        "roles": {
                          "$ref": "#/$defs/role"
                        },
                        "for": {
                          "$ref": "#/$defs/span"
                        }
                      }
                    },
                    "delay": {
                      "$ref": "#/$defs/span"
                    },
                    "errno": {
                      "type": "string"
                    },
                    "close": {
                      "enum": [
                        "peer",
                        "own"
                      ]
                    },
                    "at": {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {
                        "roles": {
                          "$ref": "#/$defs/role"
                        },
                        "call": {
                          "type": "string"
                        },
                        "channel": {
                          "type": "string"
                        },
                        "line": {
                          "type": "string"
                        },
                        "nth": {
                          "type": [
                            "integer",
                            "string"
                          ]
                        },
                        "times": {
                          "type": [
                            "integer",
                            "string"
                          ]
                        }
                      },
                      "required": [
                        "roles"
                      ]
                    },
                    "after": {
                      "$ref": "#/$defs/span"
                    },
                    "of": {
                      "type": "string"
                    }
                  }
                },
                {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                      "name": {
                        "type": "string"
                      },
                      "kill": {
                        "oneOf": [
                          {
                            "type": "string"
                          },
                          {
                            "type": "object",
                            "additionalProperties": false,
                            "properties": {
                              "roles": {
                                "$ref": "#/$defs/role"
                              },
                              "signal": {
                                "type": "string"
                              }
                            }
                          }
                        ]
                      },
                      "stop": {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {
                          "roles": {
                            "$ref": "#/$defs/role"
                          },
                          "for": {
                            "$ref": "#/$defs/span"
                          }
                        }
                      },
                      "continue": {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {
                          "roles": {
                            "$ref": "#/$defs/role"
                          },
                          "for": {
                            "$ref": "#/$defs/span"
                          }
                        }
                      },
                      "delay": {
                        "$ref": "#/$defs/span"
                      },
                      "errno": {
                        "type": "string"
                      },
                      "close": {
                        "enum": [
                          "peer",
                          "own"
                        ]
                      },
                      "at": {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {
                          "roles": {
                            "$ref": "#/$defs/role"
                          },
                          "call": {
                            "type": "string"
                          },
                          "channel": {
                            "type": "string"
                          },
                          "line": {
                            "type": "string"
                          },
                          "nth": {
                            "type": [
                              "integer",
                              "string"
                            ]
                          },
                          "times": {
                            "type": [
                              "integer",
                              "string"
                            ]
                          }
                        },
                        "required": [
                          "roles"
                        ]
                      },
                      "after": {
                        "$ref": "#/$defs/span"
                      },
                      "of": {
                        "type": "string"
                      }
                    }
                  }
                }
              ]
            },
            "expect": {
              "type": "object",
              "additionalProperties": false,
              "properties": {
                "forbid": {
                  "type": "object",
                  "additionalProperties": {
                    "type": "string"
                  }
                },
                "exits": {
                  "oneOf": [
                    {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {
                        "roles": {
                          "$ref": "#/$defs/role"
                        },
                        "allow": {
                          "oneOf": [
                            {
                              "type": [
                                "integer",
                                "string"
                              ]
                            },
                            {
                              "type": "array",
                              "items": {
                                "type": [
                                  "integer",
                                  "string"
                                ]
                              }
                            }
                          ]
                        }
                      }
                    },
                    {
                      "type": "array",
                      "items": {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {
                          "roles": {
                            "$ref": "#/$defs/role"
                          },
                          "allow": {
                            "oneOf": [
                              {
                                "type": [
                                  "integer",
                                  "string"
                                ]
                              },
                              {
                                "type": "array",
                                "items": {
                                  "type": [
                                    "integer",
                                    "string"
                                  ]
                                }
                              }
                            ]
                          }
                        }
                      }
                    }
                  ]
                },
                "phases": {
                  "oneOf": [
                    {
                      "const": "none"
                    },
                    {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {
                        "pattern": {
                          "type": "string"
                        },
                        "order": {
                          "type": "array",
                          "items": {
                            "type": "string"
                          }
                        },
                        "final": {
                          "oneOf": [
                            {
                              "type": "string"
                            },
                            {
                              "type": "array",
                              "items": {
                                "type": "string"
                              }
                            }
                          ]
                        }
                      }
                    }
                  ]
                },
                "delivery": {
                  "oneOf": [
                    {
                      "type": "object",
                      "additionalProperties": false,
                      "properties": {
                        "channel": {
                          "type": "string"
                        },
                        "receiver": {
                          "$ref": "#/$defs/role"
                        }
                      }
                    },
                    {
                      "type": "array",
                      "items": {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {
                          "channel": {
                            "type": "string"
                          },
                          "receiver": {
                            "$ref": "#/$defs/role"
                          }
                        }
                      }
                    }
                  ]
                },
                "leaks": {
                  "type": "object",
                  "additionalProperties": false,
                  "properties": {
                    "shm": {
                      "oneOf": [
                        {
                          "type": "string"
                        },
                        {
                          "type": "array",
                          "items": {
                            "type": "string"
                          }
                        }
                      ]
                    },
                    "tmp": {
                      "oneOf": [
                        {
                          "type": "string"
                        },
                        {
                          "type": "array",
                          "items": {
                            "type": "string"
                          }
                        }
                      ]
                    },
                    "ports": {
                      "oneOf": [
                        {
                          "$ref": "#/$defs/number"
                        },
                        {
                          "type": "array",
                          "items": {
                            "$ref": "#/$defs/number"
                          }
                        }
                      ]
                    },
                    "descriptors": {
                      "oneOf": [
                        {
                          "type": "object",
                          "additionalProperties": false,
                          "properties": {
                            "roles": {
                              "$ref": "#/$defs/role"
                            },
                            "most": {
                              "type": "object"
                            }
                          }
                        },
                        {
                          "type": "array",
                          "items": {
                            "type": "object",
                            "additionalProperties": false,
                            "properties": {
                              "roles": {
                                "$ref": "#/$defs/role"
                              },
                              "most": {
                                "type": "object"
                              }
                            }
                          }
                        }
                      ]
                    }
                  }
                },
                "orphans": {
                  "enum": [
                    "allowed",
                    "forbidden"
                  ]
                }
              }
            },
            "limits": {
              "type": "object",
              "additionalProperties": false,
              "properties": {
                "trial": {
                  "$ref": "#/$defs/duration"
                },
                "output": {
                  "type": "string"
                },
                "records": {
                  "$ref": "#/$defs/number"
                },
                "orphan-grace": {
                  "$ref": "#/$defs/duration"
                }
              }
            }
          },
          "required": [
            "topology"
          ],
          "$defs": {
            "role": {
              "type": "string",
              "pattern": "^[A-Za-z][\\w-]*(\\[(\\d+|\\*)\\])?(\\.[A-Za-z][\\w-]*(\\[(\\d+|\\*)\\])?)*$",
              "description": "A role or a pattern over roles: node, node[0], runner[*], node[0].runner[1]."
            },
            "duration": {
              "type": "string",
              "pattern": "^[0-9.]+ ?(us|ms|s|m|h)$",
              "description": "200ms, 1.5s, 2m"
            },
            "span": {
              "type": "string",
              "description": "A time, or two with .. between: 50ms..400ms, drawn with the trial's seed."
            },
            "number": {
              "type": [
                "integer",
                "string"
              ],
              "description": "A number, or a variable ${…}."
            },
            "words": {
              "type": [
                "array",
                "string"
              ],
              "items": {
                "type": [
                  "string",
                  "number"
                ]
              }
            },
            "env": {
              "type": "object",
              "additionalProperties": {
                "type": [
                  "string",
                  "number",
                  "boolean"
                ]
              }
            }
          }
        }
        """#
}
