#!/bin/sh
echo {{printf "%q" .request.raw_query}}
