-- By which the requests that a device's newer ones have pushed out of the hub's memory are found (hub/nodes.c).
CREATE INDEX IF NOT EXISTS h_request_number ON h_request(node_no, request);
